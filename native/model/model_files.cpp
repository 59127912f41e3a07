#include "model/model_files.h"

#include <array>
#include <filesystem>
#include <regex>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "weights/gguf_split.h"
#include "weights/safetensors.h"

namespace cachalot {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 16 << 20;  // a real one has some thousand times fewer

using Names = std::pair<std::string_view, std::string_view>;
constexpr std::array kTopNames{Names{"model.embed_tokens.", "token_embd."},
                               Names{"model.norm.", "output_norm."}, Names{"lm_head.", "output."}};
constexpr std::array kLayerNames{
    Names{"input_layernorm.", "attn_norm."},    Names{"post_attention_layernorm.", "ffn_norm."},
    Names{"self_attn.q_proj.", "attn_q."},      Names{"self_attn.k_proj.", "attn_k."},
    Names{"self_attn.v_proj.", "attn_v."},      Names{"self_attn.o_proj.", "attn_output."},
    Names{"self_attn.q_norm.", "attn_q_norm."}, Names{"self_attn.k_norm.", "attn_k_norm."},
    Names{"mlp.gate_proj.", "ffn_gate."},       Names{"mlp.up_proj.", "ffn_up."},
    Names{"mlp.down_proj.", "ffn_down."}};

template <size_t n>
std::string renamed(const std::array<Names, n>& names, std::string_view name) {
  for (const auto& [from, to] : names) {
    if (name.starts_with(from)) return std::string(to) + std::string(name.substr(from.size()));
  }
  return "";
}

/** GGUF's name of a tensor. A name that we do not know stays, and is refused later. */
std::string gguf_name(const std::string& hub_name) {
  constexpr std::string_view kLayers = "model.layers.";
  if (!hub_name.starts_with(kLayers)) {
    const std::string name = renamed(kTopNames, hub_name);
    return name.empty() ? hub_name : name;
  }
  const std::string_view rest = std::string_view(hub_name).substr(kLayers.size());
  const size_t dot = rest.find('.');
  const std::string name = dot == rest.npos ? "" : renamed(kLayerNames, rest.substr(dot + 1));
  if (name.empty()) return hub_name;
  return "blk." + std::string(rest.substr(0, dot)) + "." + name;
}

TensorMap by_name(std::vector<StoredTensor> tensors) {
  TensorMap map;
  for (auto& tensor : tensors) map.emplace(tensor.name, std::move(tensor));
  return map;
}

JsonValue read_config(const std::string& path) {
  try {
    JsonValue json = parse_json(read_whole_file(path, kMaxConfigBytes));
    if (json.object() == nullptr) throw Error(ErrorCode::kFileBadMetadata, "it is no JSON object");
    return json;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kModelNotFound) {
      throw Error(error.code(),
                  "there is no config.json beside the weights, which says what model "
                  "they are: expected it at '" +
                      path + "'");
    }
    throw Error(error.code(), "cannot read '" + path + "': " + error.what());
  }
}

ModelFiles open_folder(const fs::path& folder, std::vector<StoredTensor> tensors) {
  const JsonValue json = read_config((folder / "config.json").string());
  ModelFiles model;
  try {
    const JsonValue* tied = json.find("tie_word_embeddings");
    const bool is_tied = tied != nullptr && tied->boolean() != nullptr && *tied->boolean();
    for (auto& tensor : tensors) {
      // Angles are worked out from the configuration; a tied output is the embedding.
      if (tensor.name.ends_with("rotary_emb.inv_freq")) continue;
      tensor.name = gguf_name(tensor.name);
      if (is_tied && tensor.name == "output.weight") continue;
      std::string name = tensor.name;
      if (!model.tensors.emplace(name, std::move(tensor)).second)
        throw Error(ErrorCode::kFileDuplicateTensor, "tensor '" + name + "' appears twice");
    }
    model.config = read_hub_config(json, model.tensors);
  } catch (const Error& error) {
    throw Error(error.code(), "cannot use '" + folder.string() + "': " + error.what());
  }
  return model;
}

}  // namespace

ModelFiles open_model(const std::string& path) {
  std::error_code unreadable;  // opening the file says why
  if (fs::is_directory(path, unreadable)) return open_folder(path, read_safetensors_folder(path));
  const fs::path file(path);
  if (file.extension() == ".json")
    return open_folder(file.parent_path(), read_safetensors_folder(file.parent_path().string()));
  if (file.extension() == ".safetensors") {
    static const std::regex kShard(R"(.*-\d{5}-of-\d{5}\.safetensors)");
    const bool is_shard = std::regex_match(file.filename().string(), kShard);
    return open_folder(
        file.parent_path(),
        is_shard ? read_safetensors_folder(file.parent_path().string()) : read_safetensors(path));
  }
  GgufFile gguf = read_gguf(path, {{""}, 0});  // the vocabulary is for others
  try {
    TensorMap tensors = by_name(gguf.tensors);
    ModelConfig config = read_gguf_config(gguf, tensors);
    return {std::move(config), std::move(tensors)};
  } catch (const Error& error) {
    throw Error(error.code(), "cannot use '" + path + "': " + error.what());
  }
}

}  // namespace cachalot
