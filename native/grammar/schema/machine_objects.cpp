// Properties of objects: the part of SchemaMachine that reads them.

#include <algorithm>

#include "grammar/json/white_space.h"
#include "grammar/schema/schema_machine.h"

namespace cachalot {

namespace {

using Kind = Frame::Kind;

}  // namespace

void SchemaMachine::step_object(const Frame& frame, uint8_t byte, std::vector<Stack>* after) {
  const ObjectPlan& plan = plans_->objects[static_cast<size_t>(frame.a)];
  const KeyChoice choice(plan, seen_[frame.b], static_cast<uint32_t>(frame.c));
  Frame next = frame;
  next.kind = Kind::kObjectNext;
  next.white_space = WhiteSpace::kNone;
  if (byte == '}') {
    if (frame.kind != Kind::kObjectNext && choice.may_end()) after->push_back(frame.below);
  } else if (byte == ',') {
    if (frame.kind == Kind::kObjectAfter && choice.may_go_on()) push(next, after);
  } else if (byte == '"' && frame.kind != Kind::kObjectAfter && choice.may_go_on()) {
    const bool has_others = choice.may_have_other();
    push({.kind = Kind::kKey,
          .a = ByteTree::kRoot,
          .b = has_others ? texts_[static_cast<size_t>(plan.others)].start() : TextReader::kDead,
          .below = frames_.id_of(next)},
         after);
  }
}

void SchemaMachine::step_key(const Frame& frame, uint8_t byte, std::vector<Stack>* after) {
  const Frame object = frames_[frame.below];
  const ObjectPlan& plan = plans_->objects[static_cast<size_t>(object.a)];
  const SeenKeys& seen = seen_[object.b];
  const KeyChoice choice(plan, seen, static_cast<uint32_t>(object.c));
  Frame next = frame;
  next.a = frame.a == ByteTree::kNone ? frame.a : plan.tree.child(frame.a, byte);
  const int32_t name = next.a == ByteTree::kNone ? next.a : plan.tree.text(next.a);
  if (name != ByteTree::kNone) {
    if (!choice.may_have(name)) return;
    const ObjectPlan::Name& one = plan.names[static_cast<size_t>(name)];
    return close_key(object, seen_.with_name(object.b, name, one.is_required), one.options, after);
  }
  if (frame.b != TextReader::kDead) {
    TextReader& reader = texts_[static_cast<size_t>(plan.others)];
    next.b = reader.next(frame.b, byte);
    next.c = names_.id_of((static_cast<uint64_t>(frame.c) + 1) << 8 | byte);
    if (next.b == TextReader::kClosed) {
      if (std::ranges::binary_search(seen.others, next.c)) return;
      const auto state = static_cast<size_t>(reader.pattern_state(frame.b));
      return close_key(object, seen_.with_other(object.b, next.c), plan.other_options[state],
                       after);
    }
  }
  if (next.b != TextReader::kDead) return push(next, after);
  next.c = 0;
  const bool is_mentioned =
      next.a != ByteTree::kNone && choice.any_name(plan.tree.first(next.a), plan.tree.end(next.a));
  if (is_mentioned) push(next, after);
}

void SchemaMachine::close_key(const Frame& object, int32_t seen,
                              const std::vector<PartOption>& options, std::vector<Stack>* after) {
  const ObjectPlan& plan = plans_->objects[static_cast<size_t>(object.a)];
  const auto unsettled = static_cast<uint32_t>(object.c);
  Frame next = object;
  next.kind = Kind::kObjectAfter;
  next.b = seen;
  for (const PartOption& option : options) {
    if ((option.settles & ~unsettled) != 0) continue;
    next.c = static_cast<int32_t>(unsettled & ~option.settles);
    if (!KeyChoice(plan, seen_[seen], static_cast<uint32_t>(next.c)).can_settle()) continue;
    push({.kind = Kind::kColon, .a = option.goal, .below = frames_.id_of(next)}, after);
  }
}

}  // namespace cachalot
