// What answers have to match, as JavaScript holds it: opaque values, made off its thread.
#pragma once

#include <napi.h>

#include <memory>

#include "grammar/grammar.h"

namespace cachalot::addon {

/** makeVocabulary(bytes, ends): Promise<vocabulary>; see Vocabulary */
Napi::Value make_vocabulary(const Napi::CallbackInfo& info);

/** compileRegex(vocabulary, pattern, gap): Promise<grammar>; the gap may stand before what matches
 */
Napi::Value compile_regex(const Napi::CallbackInfo& info);

/** compileSchema(vocabulary, JSON): Promise<grammar> */
Napi::Value compile_schema(const Napi::CallbackInfo& info);

/** compileGrammar(vocabulary, GBNF, gap): Promise<grammar> */
Napi::Value compile_grammar(const Napi::CallbackInfo& info);

/** Of a request; null if it is undefined. */
std::shared_ptr<Grammar> grammar_from(const Napi::Value& value);

}  // namespace cachalot::addon
