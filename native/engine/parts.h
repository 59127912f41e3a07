// The parts of an engine, as the composition root puts them together.
#pragma once

#include <memory>
#include <string>

#include "engine/draft_model.h"
#include "engine/execute.h"
#include "engine/options.h"
#include "kv/memory.h"
#include "model/model_files.h"
#include "schedule/drafting/drafting.h"
#include "schedule/speculators/draft_memory.h"

namespace cachalot {

struct EngineParts {
  ModelFiles files;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Decoder> model;
  PolicyMaker policies;
  std::unique_ptr<KvMemory> kv;
  std::unique_ptr<DraftModel> draft_model;  // or null
  int context_length;
  EngineOptions options;
  ExecuteOptions execute;
  SpeculatorMaker speculators{};
  std::shared_ptr<DraftMemories> draft_memories = std::make_shared<DraftMemories>();
  std::string device_note;  // why the backend is not another device
};

}  // namespace cachalot
