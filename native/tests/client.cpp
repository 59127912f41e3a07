#include "tests/client.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "schedule/speculators/copy.h"
#include "schedule/speculators/jacobi.h"
#include "schedule/speculators/recycle.h"
#include "schedule/speculators/trigram.h"
#include "tests/failing_memory.h"
#include "tests/guesser.h"

namespace cachalot::tests {

namespace {

constexpr auto kPatience = std::chrono::seconds(60);

Oracle oracle_below(const RequestPreambleRef& preamble, std::span<const ScheduledEdit> edits,
                    const SequenceWindow& window);

/** Appends the keys of tokens [first, tokens.size()) of a part's text, where the part puts them. */
void append_keys(const RequestPart& part, OracleKeys* keys) {
  Oracle oracle = oracle_below(part.under, {}, {});
  const size_t n_before = oracle.keys()[0].size();
  for (const int32_t token : std::span<const int32_t>(part.tokens)) oracle.push(token);
  for (size_t head = 0; head < kOracleHeads; head++) {
    const auto own =
        std::span(oracle.keys()[head]).subspan(n_before + static_cast<size_t>(part.first));
    for (OracleKey key : own) {
      key.position += part.shift;
      (*keys)[head].push_back(key);
    }
  }
}

/** The oracle of a text that begins below a preamble, and whose context is edited. */
Oracle oracle_below(const RequestPreambleRef& preamble, std::span<const ScheduledEdit> edits,
                    const SequenceWindow& window) {
  OracleKeys keys;
  for (const RequestPart& part : parts_of(preamble)) append_keys(part, &keys);
  return {std::move(keys), position_below(preamble), edits, window};
}

bool holds_poison(const RequestPreambleRef& preamble, std::span<const int32_t> tokens) {
  const auto& parts = parts_of(preamble);
  return std::find(tokens.begin(), tokens.end(), kPoisonedToken) != tokens.end() ||
         std::any_of(parts.begin(), parts.end(),
                     [](const RequestPart& part) { return holds_poison(part.under, part.tokens); });
}

void check_generated(const Answer& answer) {
  Oracle oracle = oracle_of(answer.request);
  for (const int32_t token : answer.request.tokens) oracle.push(token);
  for (const int32_t token : answer.tokens) {
    CHECK(token == oracle.next(), "every token is the oracle's");
    oracle.push(token);
  }
  if (answer.finish.reason == FinishReason::kLength) {
    CHECK(static_cast<int>(answer.tokens.size()) <= answer.request.max_tokens,
          "no more tokens than asked for");
  }
}

void check_values(const Answer& answer) {
  const bool scores = answer.request.kind == RequestKind::kScore;
  Oracle oracle = oracle_of(answer.request);
  size_t n = 0;
  for (size_t i = 0; i < answer.request.tokens.size(); i++) {
    oracle.push(answer.request.tokens[i]);
    if (scores && i + 1 >= static_cast<size_t>(answer.request.from) &&
        i + 1 < answer.request.tokens.size()) {
      CHECK(answer.finish.values[n++] == -static_cast<float>(oracle.hash() % 1024) / 1024,
            "every score is the oracle's");
    }
    const auto& rows = answer.request.rows;
    if (!scores && std::binary_search(rows.begin(), rows.end(), static_cast<int32_t>(i))) {
      uint32_t hash;
      std::memcpy(&hash, &answer.finish.values[kVocabulary * n++], sizeof hash);
      CHECK(hash == oracle.hash(), "every row of logits is the oracle's");
    }
  }
}

}  // namespace

Oracle oracle_of(const Request& request) {
  return oracle_below(request.preamble, request.edits, request.window);
}

Client::Client(const EngineOptions& options, Fault fault)
    : fault_(fault),
      engine_(assemble_engine(
          scripted_model(options.context_length), std::make_unique<ScriptedBackend>(fault), options,
          [this](StepEvents events) { receive(std::move(events)); }, "",
          [this](const Sequence& one) { return guesser_of(one); })) {}

Drafter::Speculators Client::guesser_of(const Sequence& sequence) {
  const MayFail no(false);
  const std::lock_guard lock(mutex_);
  const Request& request = answers_.at(sequence.id).request;
  const int n_before = sequence.n_prompt - static_cast<int>(request.tokens.size());
  Drafter::Speculators made;
  if (request.draft.scripted % 3 == 0) {
    const auto memory = memories_.of(request.name_space);
    made.push_back(std::make_unique<CopySpeculator>(memory));
    made.push_back(std::make_unique<TrigramSpeculator>());
    made.push_back(std::make_unique<JacobiSpeculator>());
    made.push_back(std::make_unique<RecycleSpeculator>(memory));
  }
  made.push_back(std::make_unique<Guesser>(request, n_before));
  return made;
}

uint64_t Client::submit(Request request) {
  const std::lock_guard lock(mutex_);
  const uint64_t id = next_id_++;
  request.id = id;
  {
    const MayFail no(false);
    answers_[id].request = request;
  }
  for (ScheduledEdit& edit : request.edits) edit.index += fault_ == Fault::kWrongEdit ? 1 : 0;
  try {
    engine_->submit(std::move(request));
  } catch (...) {
    answers_.erase(id);
    throw;
  }
  return id;
}

void Client::receive(StepEvents events) {
  const MayFail no(false);
  const std::lock_guard lock(mutex_);
  for (const auto& event : events.tokens) {
    Answer& answer = answers_.at(event.id);
    CHECK(!answer.finished, "no token comes after the end");
    answer.tokens.push_back(event.token);
  }
  for (auto& event : events.finished) {
    Answer& answer = answers_.at(event.id);
    CHECK(!answer.finished, "a request ends once");
    answer.finish = std::move(event);
    answer.finished = true;
  }
  changed_.notify_all();
}

Answer Client::wait(uint64_t id) {
  std::unique_lock lock(mutex_);
  const bool ended = changed_.wait_for(lock, kPatience, [&] { return answers_.at(id).finished; });
  CHECK(ended, "a request ends within a minute");
  Answer answer = std::move(answers_.at(id));
  answers_.erase(id);
  return answer;
}

bool Client::is_finished(uint64_t id) {
  const std::lock_guard lock(mutex_);
  return answers_.at(id).finished;
}

int Client::n_tokens(uint64_t id) {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(answers_.at(id).tokens.size());
}

void check_answer(const Answer& answer) {
  const FinishEvent& finish = answer.finish;
  const bool poisoned = holds_poison(answer.request.preamble, answer.request.tokens);
  if (finish.reason == FinishReason::kError) {
    const ErrorCode code = finish.error->code();
    CHECK((poisoned && code == ErrorCode::kNotANumber) || code == ErrorCode::kKvBudgetExceeded ||
              (answer.request.deadline_ms != 0 && code == ErrorCode::kDeadlineExceeded),
          std::string("a request fails for a reason of its own: ") + finish.error->what());
    return;
  }
  const bool generates = answer.request.kind == RequestKind::kGenerate;
  CHECK(!poisoned || !generates || finish.reason == FinishReason::kAborted,
        "a row that is not finite ends its request");
  if (generates) check_generated(answer);
  else if (finish.reason == FinishReason::kDone) check_values(answer);
}

Text transcript(const Answer& answer) {
  Text text{answer.request.tokens, answer.request.preamble, answer.request.edits,
            answer.request.window};
  text.tokens.insert(text.tokens.end(), answer.tokens.begin(), answer.tokens.end());
  return text;
}

}  // namespace cachalot::tests
