#include "grammar/schema/schema_machine.h"

#include <algorithm>

#include "grammar/json/white_space.h"

namespace cachalot {

namespace {

using Kind = Frame::Kind;

bool takes_white_space(Kind kind) {
  constexpr Kind kNot[] = {Kind::kEnd, Kind::kLiteral, Kind::kText, Kind::kNumber, Kind::kKey};
  return std::ranges::find(kNot, kind) == std::end(kNot);
}

}  // namespace

size_t SchemaMachine::Hash::operator()(const Frame& frame) const {
  uint64_t hash = static_cast<uint64_t>(frame.kind);
  for (const int32_t one : {frame.a, frame.b, frame.c, frame.d, frame.white_space, frame.below})
    mix(&hash, static_cast<uint32_t>(one));
  return static_cast<size_t>(hash);
}

SchemaMachine::SchemaMachine(std::shared_ptr<const Plans> plans) : plans_(std::move(plans)) {
  for (const TextRules& rules : plans_->texts) texts_.emplace_back(rules);
  for (const NumberRules& rules : plans_->numbers) numbers_.emplace_back(rules);
  const Stack end = frames_.id_of({});
  start_ = frames_.id_of({.kind = Kind::kValue, .a = plans_->root, .below = end});
  names_.id_of(0);  // the empty name
}

/** How many arrays and objects are open. */
int32_t SchemaMachine::depth_of(Stack stack) const {
  int32_t depth = 0;
  for (; stack >= 0; stack = frames_[stack].below) {
    const Kind kind = frames_[stack].kind;
    depth += kind >= Kind::kArrayFirst && kind <= Kind::kObjectAfter ? 1 : 0;
  }
  return depth;
}

size_t SchemaMachine::bytes() const {
  constexpr size_t kOfFrame = sizeof(Frame) + 48, kOfName = 56;
  size_t bytes = frames_.size() * kOfFrame + names_.size() * kOfName + seen_.bytes();
  for (const TextReader& text : texts_) bytes += text.bytes();
  for (const NumberReader& number : numbers_) bytes += number.bytes();
  return bytes;
}

void SchemaMachine::begin_look() {
  before_ = {frames_.size(), seen_.size(), names_.size(), {}};
  for (const NumberReader& number : numbers_) before_.numbers.push_back(number.size());
}

void SchemaMachine::end_look() {
  frames_.rewind(before_.frames);
  seen_.rewind(before_.seen);
  names_.rewind(before_.names);
  for (size_t i = 0; i < numbers_.size(); i++) numbers_[i].rewind(before_.numbers[i]);
}

bool SchemaMachine::may_end(Stack stack) const {
  const Frame& frame = frames_[stack];
  if (frame.kind == Kind::kEnd) return true;
  if (frame.below < 0 || frames_[frame.below].kind != Kind::kEnd) return false;
  if (frame.kind == Kind::kNumber) return numbers_[static_cast<size_t>(frame.a)].accepts(frame.b);
  return frame.kind == Kind::kLiteral &&
         plans_->goals[static_cast<size_t>(frame.a)].literals.text(frame.b) != ByteTree::kNone;
}

void SchemaMachine::step(Stack stack, uint8_t byte, std::vector<Stack>* after) {
  const Frame frame = frames_[stack];
  if (WhiteSpace::is_white(byte) && takes_white_space(frame.kind)) {
    Frame next = frame;
    next.white_space = WhiteSpace::next(frame.white_space, byte, depth_of(stack));
    if (next.white_space != WhiteSpace::kDead) push(next, after);
    return;
  }
  switch (frame.kind) {
    case Kind::kEnd: return;
    case Kind::kValue: return begin(frame.a, byte, frame.below, after);
    case Kind::kLiteral: return step_literal(frame, byte, after);
    case Kind::kText: return step_text(frame, byte, after);
    case Kind::kNumber: {
      NumberReader& reader = numbers_[static_cast<size_t>(frame.a)];
      Frame next = frame;
      next.b = reader.next(frame.b, byte);
      if (next.b != NumberReader::kDead) return push(next, after);
      if (reader.accepts(frame.b)) step(frame.below, byte, after);
      return;
    }
    case Kind::kArrayFirst:
    case Kind::kArrayAfter: return step_array(frame, byte, after);
    case Kind::kKey: return step_key(frame, byte, after);
    case Kind::kColon:
      if (byte == ':') push({.kind = Kind::kValue, .a = frame.a, .below = frame.below}, after);
      return;
    default: return step_object(frame, byte, after);
  }
}

/** A value whose first byte this is. */
void SchemaMachine::begin(int32_t goal, uint8_t byte, Stack below, std::vector<Stack>* after) {
  const GoalPlan& plan = plans_->goals[static_cast<size_t>(goal)];
  step_literal({.kind = Kind::kLiteral, .a = goal, .b = ByteTree::kRoot, .below = below}, byte,
               after);
  const int32_t quote = counts_items(below) ? text_after({}, byte) : 0;
  if (byte == '"') {
    for (const int32_t text : plan.texts)
      push({.kind = Kind::kText,
            .a = text,
            .b = texts_[static_cast<size_t>(text)].start(),
            .c = quote,
            .below = below},
           after);
  }
  for (const int32_t number : plan.numbers) {
    NumberReader& reader = numbers_[static_cast<size_t>(number)];
    const int32_t state = reader.next(reader.start(), byte);
    if (state != NumberReader::kDead)
      push({.kind = Kind::kNumber, .a = number, .b = state, .below = below}, after);
  }
  if (byte == '[') {
    for (const int32_t array : plan.arrays)
      push({.kind = Kind::kArrayFirst,
            .a = array,
            .c = static_cast<int32_t>(plans_->arrays[static_cast<size_t>(array)].unsettled),
            .d = seen_.nothing(),
            .below = below},
           after);
  }
  if (byte != '{') return;
  for (const int32_t object : plan.objects) {
    const ObjectPlan& one = plans_->objects[static_cast<size_t>(object)];
    push({.kind = Kind::kObjectFirst,
          .a = object,
          .b = seen_.empty(one),
          .c = static_cast<int32_t>(one.unsettled),
          .below = below},
         after);
  }
}

void SchemaMachine::step_literal(const Frame& frame, uint8_t byte, std::vector<Stack>* after) {
  const ByteTree& tree = plans_->goals[static_cast<size_t>(frame.a)].literals;
  const int32_t node = tree.child(frame.b, byte);
  if (node == ByteTree::kNone) {  // only a number may end and have more digits
    if (tree.text(frame.b) == ByteTree::kNone) return;
    const Stack below = after_item(frame);
    if (below >= 0) step(below, byte, after);
    return;
  }
  Frame next = frame;
  next.b = node;
  if (counts_items(frame.below)) next.c = text_after(frame, byte);
  if (tree.has_children(node)) {
    if (has_unused(next)) push(next, after);
  } else if (const Stack below = after_item(next); below >= 0) {
    after->push_back(below);
  }
}

void SchemaMachine::step_text(const Frame& frame, uint8_t byte, std::vector<Stack>* after) {
  Frame next = frame;
  next.b = texts_[static_cast<size_t>(frame.a)].next(frame.b, byte);
  if (next.b == TextReader::kDead) return;
  if (counts_items(frame.below)) next.c = text_after(frame, byte);
  if (next.b != TextReader::kClosed) return push(next, after);
  if (const Stack below = after_item(next); below >= 0) after->push_back(below);
}

/** Whether a value is an item of an array none of whose items comes twice. */
bool SchemaMachine::counts_items(Stack below) const {
  const Frame& array = frames_[below];
  return array.kind == Kind::kArrayAfter && plans_->arrays[static_cast<size_t>(array.a)].is_unique;
}

/** The text of a frame, `c`, and a byte. */
int32_t SchemaMachine::text_after(const Frame& frame, uint8_t byte) {
  return names_.id_of((static_cast<uint64_t>(frame.c) + 1) << 8 | byte);
}

/** Whether a literal that goes on like this has not been an item yet. */
bool SchemaMachine::has_unused(const Frame& literal) const {
  if (!counts_items(literal.below)) return true;
  const ByteTree& tree = plans_->goals[static_cast<size_t>(literal.a)].literals;
  const SeenKeys& used = seen_[frames_[literal.below].d];
  for (int32_t text = tree.first(literal.b); text < tree.end(literal.b); text++) {
    int32_t link = 0;  // of the empty text
    for (const char c : tree[text]) {
      link = names_.find((static_cast<uint64_t>(link) + 1) << 8 | static_cast<uint8_t>(c));
      if (link < 0) return true;
    }
    if (!std::ranges::binary_search(used.others, link)) return true;
  }
  return false;
}

/** What is below an item that has ended; -1: there is one like it. */
SchemaMachine::Stack SchemaMachine::after_item(const Frame& item) {
  if (!counts_items(item.below)) return item.below;
  Frame array = frames_[item.below];
  if (std::ranges::binary_search(seen_[array.d].others, item.c)) return -1;
  array.d = seen_.with_other(array.d, item.c);
  return frames_.id_of(array);
}

void SchemaMachine::step_array(const Frame& frame, uint8_t byte, std::vector<Stack>* after) {
  const ArrayPlan& plan = plans_->arrays[static_cast<size_t>(frame.a)];
  if (byte == ']') {
    if (frame.b >= plan.least && frame.c == 0) after->push_back(frame.below);
    return;
  }
  if (frame.kind == Kind::kArrayFirst) return begin_items(frame, &byte, after);
  if (byte == ',') begin_items(frame, nullptr, after);
}

/** The next item, whose first byte this is; null: none of it has come. */
void SchemaMachine::begin_items(const Frame& array, const uint8_t* byte,
                                std::vector<Stack>* after) {
  const ArrayPlan& plan = plans_->arrays[static_cast<size_t>(array.a)];
  if (array.b >= plan.most) return;
  Frame next = array;
  next.kind = Kind::kArrayAfter;
  next.white_space = WhiteSpace::kNone;
  const int64_t n_told_apart = plan.most == kEndlessItems
                                   ? std::max<int64_t>(plan.least, std::ssize(plan.items))
                                   : plan.most;
  next.b = static_cast<int32_t>(std::min<int64_t>(array.b + 1, n_told_apart));
  for (const PartOption& option : plan.options(array.b)) {
    const auto unsettled = static_cast<uint32_t>(array.c);
    if ((option.settles & ~unsettled) != 0) continue;
    next.c = static_cast<int32_t>(unsettled & ~option.settles);
    if (!plan.can_settle(next.b, static_cast<uint32_t>(next.c))) continue;
    const Stack below = frames_.id_of(next);
    if (byte != nullptr) begin(option.goal, *byte, below, after);
    else push({.kind = Kind::kValue, .a = option.goal, .below = below}, after);
  }
}

TextReader* SchemaMachine::reader(Stack stack, int32_t* state) {
  const Frame& frame = frames_[stack];
  *state = frame.b;
  if (frame.kind == Kind::kText) return &texts_[static_cast<size_t>(frame.a)];
  if (frame.kind != Kind::kKey || frame.b == TextReader::kDead) return nullptr;
  const auto object = static_cast<size_t>(frames_[frame.below].a);
  return &texts_[static_cast<size_t>(plans_->objects[object].others)];
}

SchemaMachine::Stack SchemaMachine::as_mentioned(Stack stack) {
  Frame frame = frames_[stack];
  if (frame.kind != Kind::kKey) return stack;
  frame.b = TextReader::kDead;
  frame.c = 0;
  return frames_.id_of(frame);
}

}  // namespace cachalot
