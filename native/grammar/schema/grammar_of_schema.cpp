#include "grammar/schema/grammar_of_schema.h"

#include <utility>

#include "grammar/schema/plans.h"
#include "grammar/schema/schema_machine.h"
#include "grammar/stack_recognizer.h"

namespace cachalot {

namespace {

constexpr size_t kMostStateBytes = size_t{64} << 20;

}  // namespace

std::shared_ptr<Grammar> grammar_of_schema(std::string_view schema,
                                           std::shared_ptr<const Vocabulary> tokens) {
  auto recognizer = std::make_unique<StackRecognizer>(
      std::make_unique<SchemaMachine>(plan_schema(schema)), kMostStateBytes);
  return std::make_shared<Grammar>(std::move(recognizer), std::move(tokens));
}

}  // namespace cachalot
