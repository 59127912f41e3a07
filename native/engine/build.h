// The composition root: makes an engine from options and a file. It is the only place that names
// concrete parts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace cachalot {

/** Maps, checks and prepares the model, which takes a while, and starts the engine's thread. */
std::unique_ptr<Engine> build_engine(const std::string& path, const EngineOptions& options,
                                     std::function<void(StepEvents)> sink);

/** The same with files and backend that exist already; tests bring a backend of their own, and
 * speculators. */
std::unique_ptr<Engine> assemble_engine(ModelFiles files, std::unique_ptr<Backend> backend,
                                        const EngineOptions& options,
                                        std::function<void(StepEvents)> sink,
                                        const std::string& device_note = "",
                                        SpeculatorMaker speculators = {});

}  // namespace cachalot
