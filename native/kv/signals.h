// What is known of the keys of a context when it is edited: numbers of each key of each head, as
// the op kv_signal gives them. And the queries that are kept for that, while rows are computed.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "kv/edit.h"
#include "kv/tree_key.h"

namespace cachalot {

/** The layers of a model, as edits see them. */
struct EditShape {
  struct LayerClass {
    std::vector<int32_t> layers;  // of the model, in the order of the class
    int32_t window;               // a row reads the last so many tokens; 0: all before it
  };
  int32_t n_query_heads = 0;
  std::vector<LayerClass> classes{};
};

/** The queries of the last rows before an edit, of all layers in the order of their classes. */
struct KeptQueries {
  std::unique_ptr<Buffer> memory;  // [layers, n_rows, H, D]; null until the first of them comes
  int64_t layer_stride;            // floats
  int first_row, n_rows, stride;   // in the text that they are of; it is to be edited after them
  PreambleRef under{};             // of that text, when it has been computed
  std::vector<int32_t> tokens{};

  int last_row() const { return first_row + (n_rows - 1) * stride; }
  void finish(const PreambleRef& preamble, std::span<const int32_t> text) {
    under = preamble;
    tokens.assign(text.begin(), text.end());
  }
  /** Whether they are the last rows of a part's text. */
  bool is_of(const PreamblePart& part) const {
    return last_row() < std::ssize(tokens) && last_row() + stride >= std::ssize(tokens) &&
           part.tokens == tokens && part.under == under;
  }
};

/** Numbers of each key of each head. */
class SignalTable {
 public:
  SignalTable() = default;
  SignalTable(int n_heads, int n_planes, int n_keys)
      : n_planes_(n_planes),
        n_keys_(n_keys),
        values_(static_cast<size_t>(n_heads) * n_planes * n_keys) {}

  int n_keys() const { return n_keys_; }
  const std::vector<float>& values() const { return values_; }
  float* of_head(int head) { return values_.data() + at(head, 0); }
  std::span<const float> plane(int head, int plane, int n) const {
    return std::span(values_).subspan(at(head, plane), static_cast<size_t>(n));
  }

 private:
  size_t at(int head, int plane) const {
    return (static_cast<size_t>(head) * n_planes_ + plane) * static_cast<size_t>(n_keys_);
  }

  int n_planes_ = 0, n_keys_ = 0;
  std::vector<float> values_;
};

/** The keys of a context, for policies that read nothing else. */
class KeySource : public EditSource {
 public:
  KeySource(const EditSource& keys, std::span<const int32_t> layers, int n_layers)
      : EditSource(keys), layers_(layers), n_layers_(n_layers) {}

  int n_layers() const { return n_layers_; }
  /** The layer of the model that a head belongs to. */
  int layer(int head) const { return layers_[static_cast<size_t>(head)]; }
  /** The length of each key, if the policy asks for it. */
  std::span<const float> norms(int head) const { return norms_.plane(head, 0, n_keys(head)); }
  /** The cosine of each key with the centre that is most like it, and that centre's number, if the
   * policy asks for them; see KeySignal::kMatch. */
  std::span<const float> similarity(int head) const {
    return matches_.plane(head, 0, n_keys(head));
  }
  std::span<const float> match(int head) const { return matches_.plane(head, 1, n_keys(head)); }

 private:
  friend class SignalReader;
  std::span<const int32_t> layers_;
  int n_layers_;
  SignalTable norms_, matches_;
};

/** The keys of a context, and how the last rows of it have read them. */
class QuerySource : public KeySource {
 public:
  using KeySource::KeySource;

  /** The probabilities of each key, summed over the observed rows: the mean of its query heads. */
  std::span<const float> attention(int head) const {
    return attention_.plane(head, 0, n_keys(head));
  }
  /** By how many of the rows each key is read less than if they read all keys alike, if the policy
   * asks for it. */
  std::span<const float> seldom(int head) const { return seldom_.plane(head, 0, n_keys(head)); }

 private:
  friend class SignalReader;
  SignalTable attention_, seldom_;
};

}  // namespace cachalot
