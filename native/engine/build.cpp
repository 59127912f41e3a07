#include "engine/build.h"

#include <algorithm>
#include <map>

#include "attention/measure_costs.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "cuda/cuda_library.h"
#include "engine/active_request.h"
#include "engine/forced_speculator.h"
#include "engine/validate.h"
#include "kv/policies/chelsea.h"
#include "kv/policies/compress_kv.h"
#include "kv/policies/h2o.h"
#include "kv/policies/key_norm.h"
#include "kv/policies/random.h"
#include "kv/policies/razor.h"
#include "kv/policies/recent.h"
#include "kv/policies/scissorhands.h"
#include "kv/policies/seeded.h"
#include "kv/policies/snap.h"
#include "schedule/speculators/copy.h"
#include "schedule/speculators/expected.h"
#include "schedule/speculators/jacobi.h"
#include "schedule/speculators/recycle.h"
#include "schedule/speculators/trigram.h"

namespace cachalot {

namespace {

constexpr int kMaxOutputs =
    256;  // rows of logits in a step: the most sequences that decode at once
constexpr int kDefaultContexts = 16;  // full contexts that the default KV budget allows for

std::unique_ptr<Backend> cpu_backend(const EngineOptions& options) {
  return std::make_unique<cpu::CpuBackend>(options.instructions, options.threads);
}

/** "cuda" or "cuda:1". */
std::unique_ptr<Backend> gpu_backend(const EngineOptions& options, const std::string& device) {
  const size_t colon = device.find(':');
  const std::string digits = colon == std::string::npos ? "0" : device.substr(colon + 1);
  const bool is_number = !digits.empty() && digits.size() <= 3 &&
                         digits.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) throw Error(ErrorCode::kInvalidArgument, "there is no device '" + device + "'");
  const int index = std::stoi(digits);
  return std::make_unique<cuda::CudaBackend>(options.cuda_library, index);
}

/** Whether the CPU may still succeed when a GPU has failed with this error. */
bool is_about_device(ErrorCode code) {
  return code == ErrorCode::kOutOfMemory || code == ErrorCode::kDeviceUnavailable ||
         code == ErrorCode::kDeviceFailed || code == ErrorCode::kUnsupportedArchitecture ||
         code == ErrorCode::kKvBudgetExceeded;
}

/** Whether the device is "auto", no other option rules out a GPU, and the CUDA library loads. */
bool prefers_gpu(const EngineOptions& options) {
  return options.device == "auto" && options.instructions == "auto" && options.kv_format != "f32" &&
         cuda::find_devices(options.cuda_library).library != nullptr;
}

KvFormat choose_format(const std::string& name, const Backend& backend) {
  if (name == "auto") return backend.preferred_kv_format();
  for (const KvFormat format : {KvFormat::kF32, KvFormat::kBF16}) {
    if (name == kv_format_name(format)) return format;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "expected auto, f32 or bf16 for `kv.format`, received '" + name + "'");
}

Grouping choose_grouping(const std::string& name) {
  if (name == "auto") return Grouping::kAuto;
  if (name == "always") return Grouping::kAlways;
  if (name == "never") return Grouping::kNever;
  throw Error(ErrorCode::kInvalidArgument,
              "expected auto, always or never for `sharedReads`, received '" + name + "'");
}

std::vector<KvShape> kv_shapes(const ModelConfig& config, KvFormat format, const Backend& backend) {
  std::vector<KvShape> shapes;
  for (const auto& [window, n_kv_heads, head_dim, n_layers] : config.classes()) {
    backend.check_kv(format, head_dim);
    shapes.push_back({kv_layout(format, format, head_dim), n_layers, n_kv_heads});
  }
  return shapes;
}

/** Costs for each class of layers; classes with heads of one size have the same. */
std::vector<AttentionCosts> attention_costs(std::span<const KvShape> shapes, Backend& backend,
                                            const EngineOptions& options) {
  std::map<int, AttentionCosts> by_head_dim;
  std::vector<AttentionCosts> costs;
  for (const auto& [layout, n_layers, n_kv_heads] : shapes) {
    auto found = by_head_dim.find(layout.head_dim);
    if (found == by_head_dim.end())
      found =
          by_head_dim
              .emplace(layout.head_dim, load_attention_costs(backend, layout.k, layout.head_dim,
                                                             options.costs_folder, options.machine))
              .first;
    costs.push_back(found->second);
  }
  return costs;
}

size_t choose_bytes(uint64_t asked, std::span<const KvShape> shapes, int context_length,
                    const Backend& backend) {
  if (asked > backend.kv_limit()) {
    throw Error(ErrorCode::kInvalidArgument,
                "`kv.bytes` is " + std::to_string(asked) + ", but this process can have at most " +
                    std::to_string(backend.kv_limit()) + " bytes of memory");
  }
  if (asked != 0) return asked;
  const uint64_t token_bytes = slab_bytes_of(shapes) / kTileTokens;
  const uint64_t contexts = kDefaultContexts * static_cast<uint64_t>(context_length) * token_bytes;
  return std::max<uint64_t>(std::min(backend.memory_for_kv(), contexts), 64 * token_bytes);
}

/** `n_heads`: the KV heads of all layers. */
std::unique_ptr<KvPolicy> make_policy(const EditRecipe& recipe, int n_heads) {
  const std::string& name = recipe.policy;
  if (name == "seeded") return std::make_unique<SeededPolicy>(recipe);
  if (name == "recent") return std::make_unique<RecentPolicy>(recipe);
  if (name == "random") return std::make_unique<RandomPolicy>(recipe);
  if (name == "key-norm") return std::make_unique<KeyNormPolicy>(recipe);
  if (name == "snap") return std::make_unique<SnapPolicy>(recipe);
  if (name == "razor") return std::make_unique<RazorPolicy>(recipe, n_heads);
  if (name == "h2o") return std::make_unique<H2oPolicy>(recipe);
  if (name == "scissorhands") return std::make_unique<ScissorhandsPolicy>(recipe);
  if (name == "compress-kv") return std::make_unique<CompressKvPolicy>(recipe, n_heads);
  if (name == "chelsea") return std::make_unique<ChelseaPolicy>(recipe);
  throw Error(ErrorCode::kInvalidArgument, "there is no policy '" + recipe.policy + "'");
}

EditShape edit_shape(const ModelConfig& config) {
  EditShape shape{config.n_heads};
  for (const LayerClass& one : config.classes()) shape.classes.push_back({{}, one.window});
  const auto places = config.places();
  for (size_t layer = 0; layer < places.size(); layer++)
    shape.classes[static_cast<size_t>(places[layer].layer_class)].layers.push_back(
        static_cast<int32_t>(layer));
  return shape;
}

/** Those that a request asks for, in the order of how much they are usually right. */
Drafter::Speculators make_speculators(const Sequence& sequence, DraftMemories& memories) {
  const DraftOptions& draft = sequence.draft;
  const auto memory = memories.of(sequence.key.name_space);
  Drafter::Speculators made;
  if (const auto& constraint = sequence.request->constraint)
    made.push_back(std::make_unique<ForcedSpeculator>(*constraint));
  if (!draft.prediction.empty())
    made.push_back(std::make_unique<ExpectedSpeculator>(draft.prediction, sequence.n_prompt));
  if (draft.lookup) made.push_back(std::make_unique<CopySpeculator>(memory));
  if (draft.trigram) made.push_back(std::make_unique<TrigramSpeculator>());
  if (draft.jacobi) made.push_back(std::make_unique<JacobiSpeculator>());
  if (draft.recycle) made.push_back(std::make_unique<RecycleSpeculator>(memory));
  return made;
}

/** The draft model's layers, and what a token takes in them. */
struct DraftPlan {
  ModelFiles files;
  std::vector<KvShape> shapes;
  size_t token_bytes;
};

/** Nothing if there is no draft model. Throws invalid_argument if its vocabulary is another one. */
std::optional<DraftPlan> plan_draft(const EngineOptions& options, const ModelConfig& config,
                                    KvFormat format, const Backend& backend) {
  if (options.draft_model.empty()) return std::nullopt;
  DraftPlan plan{open_model(options.draft_model), {}, 0};
  if (plan.files.config.vocabulary != config.vocabulary) {
    throw Error(ErrorCode::kInvalidArgument, "the draft model has a vocabulary of " +
                                                 std::to_string(plan.files.config.vocabulary) +
                                                 " tokens, and the model one of " +
                                                 std::to_string(config.vocabulary) +
                                                 ": they must be the same");
  }
  plan.shapes = kv_shapes(plan.files.config, format, backend);
  plan.token_bytes = slab_bytes_of(plan.shapes) / kTileTokens;
  return plan;
}

std::unique_ptr<Decoder> draft_decoder(const DraftPlan& plan, Backend& backend, int step_tokens) {
  const ModelConfig& config = plan.files.config;
  return std::make_unique<Decoder>(
      load_decoder_weights(plan.files.tensors, config, backend, nullptr, [](uint64_t, uint64_t) {}),
      config, backend, config.context_length, step_tokens, std::min(kMaxOutputs, step_tokens));
}

/** Null if there is no layout that can be used: weights are packed again then. */
std::shared_ptr<const LayoutFile> open_layout(const std::string& path, const Backend& backend) {
  if (path.empty()) return nullptr;
  try {
    return std::make_shared<LayoutFile>(path, backend.layout());
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace

std::unique_ptr<Engine> build_engine(const std::string& path, const EngineOptions& options,
                                     std::function<void(StepEvents)> sink) {
  validate_options(options);
  if (options.device.starts_with("cuda"))
    return assemble_engine(open_model(path), gpu_backend(options, options.device), options, sink);
  std::string note;
  if (prefers_gpu(options)) {
    try {
      return assemble_engine(open_model(path), gpu_backend(options, "cuda"), options, sink);
    } catch (const Error& error) {
      if (!is_about_device(error.code())) throw;
      note = std::string("not on the GPU: ") + error.what();
    }
  }
  return assemble_engine(open_model(path), cpu_backend(options), options, sink, note);
}

std::unique_ptr<Engine> assemble_engine(ModelFiles files, std::unique_ptr<Backend> backend,
                                        const EngineOptions& options,
                                        std::function<void(StepEvents)> sink,
                                        const std::string& device_note,
                                        SpeculatorMaker speculators) {
  const auto on_progress = [&](uint64_t bytes, uint64_t total_bytes) {
    StepEvents events;
    events.loading = {bytes, total_bytes};
    sink(std::move(events));
  };
  EngineParts parts;
  parts.options = options;
  parts.device_note = device_note;
  parts.files = std::move(files);
  parts.backend = std::move(backend);
  parts.context_length =
      stretch_positions(options.rope, options.context_length, &parts.files.config);
  const ModelConfig& config = parts.files.config;
  const KvFormat format = choose_format(options.kv_format, *parts.backend);
  const auto shapes = kv_shapes(config, format, *parts.backend);
  parts.model = std::make_unique<Decoder>(
      load_decoder_weights(parts.files.tensors, config, *parts.backend,
                           open_layout(options.layout_path, *parts.backend), on_progress),
      config, *parts.backend, parts.context_length, options.step_tokens,
      std::min(kMaxOutputs, options.step_tokens));
  parts.files.tensors.clear();  // files that are not read in place need not stay open
  // Last: KV takes memory that the weights have left.
  int n_kv_heads = 0;
  for (const KvShape& shape : shapes) n_kv_heads += shape.n_layers * shape.n_kv_heads;
  parts.policies = [n_kv_heads](const EditRecipe& recipe) {
    return make_policy(recipe, n_kv_heads);
  };
  const auto plan = plan_draft(options, config, format, *parts.backend);
  auto decoder = plan ? draft_decoder(*plan, *parts.backend, options.step_tokens) : nullptr;
  const size_t kv_bytes =
      choose_bytes(options.kv_bytes, shapes, parts.context_length, *parts.backend);
  // Both models have room for as many tokens.
  const size_t token_bytes = slab_bytes_of(shapes) / kTileTokens;
  const size_t draft_bytes =
      plan ? kv_bytes / (token_bytes + plan->token_bytes) * plan->token_bytes : 0;
  parts.kv = std::make_unique<KvMemory>(*parts.backend, shapes, kv_bytes - draft_bytes,
                                        parts.policies, edit_shape(config));
  if (plan)
    parts.draft_model = std::make_unique<DraftModel>(
        std::move(decoder), *parts.backend, plan->shapes, plan->files.config.context_length,
        draft_bytes, parts.kv->lists);
  if (options.check_invariants) parts.kv->pool.poison_freed_slabs();
  parts.speculators = std::move(speculators);
  if (!parts.speculators) {
    parts.speculators = [memories = parts.draft_memories](const Sequence& sequence) {
      return make_speculators(sequence, *memories);
    };
  }
  parts.execute = {choose_grouping(options.grouping), {}};
  if (parts.execute.grouping == Grouping::kAuto)
    parts.execute.costs = attention_costs(shapes, *parts.backend, options);
  return std::make_unique<Engine>(std::move(parts), std::move(sink));
}

}  // namespace cachalot
