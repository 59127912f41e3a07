// The parts of an engine, as the composition root puts them together.
#pragma once

#include <memory>
#include <string>

#include "engine/execute.h"
#include "engine/options.h"
#include "kv/kv_cache.h"
#include "model/model_files.h"

namespace cachalot {

struct EngineParts {
  ModelFiles files;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Decoder> model;
  std::unique_ptr<KvPool> pool;
  std::unique_ptr<KvCache> cache;
  int context_length;
  EngineOptions options;
  ExecuteOptions execute;
  std::string device_note;  // why the backend is not another device
};

}  // namespace cachalot
