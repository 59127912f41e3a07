// What a sequence reads while it runs: the sealed parts of its preamble, then the open part, which
// it writes. A plain context has the open part alone.
#pragma once

#include <algorithm>
#include <vector>

#include "kv/preambles.h"
#include "kv/slab_lists.h"

namespace cachalot {

class Context {
 public:
  /** `preamble`: held as a whole, or null. `leaf`: where the sequence writes. */
  Context(SlabLists& lists, HeldPreamble* preamble, KvSegment* leaf)
      : preamble_(preamble), leaf_(leaf), slabs_(lists) {
    open_.position = leaf->position - leaf->begin;
    if (preamble != nullptr) {
      window_ = preamble->key().preamble->window;
      add_sinks(preamble->parts());
      parts_.insert(parts_.end(), preamble->parts().begin(), preamble->parts().end());
      parts_.push_back(open_);
    }
    for (const uint32_t slab : context_slabs(leaf)) slabs_.append(slab);
    update(0);
  }

  KvSegment* leaf() const { return leaf_; }
  /** The tokens that have been computed below the preamble. */
  int n_computed() const { return leaf_->end(); }
  const SlabList& list() const { return slabs_; }
  std::span<const uint32_t> slabs() const { return slabs_.slabs(); }

  /** Takes note of the slabs that the leaf has got, and of n tokens that are computed next. */
  void update(int n) {
    const auto above = static_cast<uint32_t>(leaf_->begin / kTileTokens);
    for (uint32_t i = slabs_.size() - above; i < leaf_->slabs.size(); i++)
      slabs_.append(leaf_->slabs[i]);
    open_.table.first = slabs_.first();
    open_.end_key = n_computed() + n;
    if (preamble_ != nullptr) set_open(open_, &parts_);
  }
  /** Forgets the leaf's slabs from `first` on: it has others there, or none. */
  void forget_slabs(size_t first) {
    slabs_.shrink(static_cast<uint32_t>(leaf_->begin / kTileTokens) + static_cast<uint32_t>(first));
  }
  /** The parts of the same context if its open part has other slabs, and ends elsewhere. */
  std::vector<ContextPart> parts_with(const SlabList& slabs, int end_key) const {
    ContextPart open = open_;
    open.table.first = slabs.first();
    open.end_key = end_key;
    if (preamble_ == nullptr) return {open};
    std::vector<ContextPart> parts = parts_;
    set_open(open, &parts);
    return parts;
  }

  /** In order; with a window, those that hold the sinks stand before all others. */
  std::span<const ContextPart> parts() const {
    return preamble_ == nullptr ? std::span(&open_, 1) : std::span(parts_);
  }
  int n_sink_parts() const { return n_sink_parts_; }
  /** The tiles of the open part before the first that has been freed. */
  int n_known_tiles() const {
    return leaf_->hole_begin == leaf_->hole_end
               ? INT32_MAX
               : leaf_->begin / kTileTokens + static_cast<int>(leaf_->hole_begin);
  }
  const SequenceWindow& window() const { return window_; }
  int position_of(int index) const { return open_.position + index; }
  /** Where the KV of token `index` goes, which a row of the step computes. */
  KvTarget target(int index, int row) const {
    return {slabs()[static_cast<size_t>(index / kTileTokens)], index % kTileTokens,
            position_of(index), row};
  }

  /** Visits the lists of all parts. */
  template <typename Visitor>
  void for_each_list(const Visitor& visitor) {
    if (preamble_ != nullptr)
      for (SlabList& list : preamble_->lists()) visitor(list);
    visitor(slabs_);
  }

 private:
  /** Sinks are read as if they stood right before the window (StreamingLLM, Xiao et al. 2023;
   * LM-Infinite, Han et al. 2024). */
  int last_sink_reader() const { return window_.n_sinks + window_.size - 1; }

  /** Puts the open part into the list of all, and the part of it that holds sinks. */
  void set_open(const ContextPart& open, std::vector<ContextPart>* parts) const {
    parts->back() = open;
    if (!has_open_sink_) return;
    ContextPart& sink = (*parts)[static_cast<size_t>(n_sink_parts_) - 1];
    sink = open;
    sink.end_key = std::min(sink.end_key, window_.n_sinks - sink.position);
    sink.last_position = last_sink_reader();
  }

  /** The first tokens of the parts, as parts of their own, if there is a window. */
  void add_sinks(std::span<const ContextPart> sealed) {
    if (window_.size == 0) return;
    for (ContextPart part : sealed) {
      part.end_key = std::min(part.end_key, window_.n_sinks - part.position);
      part.last_position = last_sink_reader();
      if (part.first_key < part.end_key) parts_.push_back(part);
    }
    has_open_sink_ = open_.position < window_.n_sinks;
    if (has_open_sink_) parts_.push_back(open_);
    n_sink_parts_ = static_cast<int>(parts_.size());
  }

  HeldPreamble* preamble_;
  KvSegment* leaf_;
  SlabList slabs_;  // of the open part
  ContextPart open_{};
  std::vector<ContextPart> parts_;  // all of them, if there is a preamble
  SequenceWindow window_{};
  int n_sink_parts_ = 0;        // the first of parts_
  bool has_open_sink_ = false;  // the last of these is the open part's
};

}  // namespace cachalot
