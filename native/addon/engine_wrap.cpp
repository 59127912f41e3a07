#include "addon/engine_wrap.h"

#include <new>
#include <utility>

#include "addon/addon_data.h"
#include "addon/arguments.h"
#include "addon/promise_work.h"
#include "engine/build.h"

namespace cachalot::addon {

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeEngine",
      {method<&EngineWrap::submit>("submit"), method<&EngineWrap::cancel>("cancel"),
       method<&EngineWrap::unpin>("unpin"), method<&EngineWrap::begin_batch>("beginBatch"),
       method<&EngineWrap::skip_batch_item>("skipBatchItem"),
       method<&EngineWrap::clear_cache>("clearCache"), method<&EngineWrap::explain>("explain"),
       method<&EngineWrap::keep_alive>("keepAlive"), method<&EngineWrap::stats>("stats"),
       method<&EngineWrap::description>("description"),
       InstanceMethod<&EngineWrap::promise<&EngineWrap::save_layout>>("saveLayout"),
       InstanceMethod<&EngineWrap::promise<&EngineWrap::dispose>>("dispose")});
}

Napi::Value EngineWrap::load(const Napi::CallbackInfo& info) {
  return load_with(info, build_engine);
}

Napi::Value EngineWrap::load_with(const Napi::CallbackInfo& info, const Build& build) {
  const Napi::Env env = info.Env();
  const std::string path = string_from(info[0], "path");
  const EngineOptions options = engine_options_from(info[1]);
  auto handle = std::make_shared<EngineHandle>();
  handle->channel = std::make_unique<TokenChannel>(env, function_from(info[2], "onEvents"));
  const auto work = [path, options, handle, build] {
    TokenChannel* channel = handle->channel.get();
    handle->engine =
        build(path, options, [channel](StepEvents events) { channel->send(std::move(events)); });
    return handle;
  };
  const auto finish = [](Napi::Env after, std::shared_ptr<EngineHandle> loaded) -> Napi::Value {
    const auto external = Napi::External<std::shared_ptr<EngineHandle>>::New(after, &loaded);
    return addon_data(after).engine_class.Value().New({external});
  };
  return PromiseWork<std::shared_ptr<EngineHandle>>::run(env, work, finish);
}

EngineWrap::EngineWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineWrap>(info), env_(info.Env()) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "use Engine.load() to make an engine");
  }
  handle_ = *info[0].As<Napi::External<std::shared_ptr<EngineHandle>>>().Data();
  // Runs before the channel's own hook (last added, first run), so the thread ends while the
  // channel still stands.
  napi_add_env_cleanup_hook(env_, end_with_environment, this);
}

EngineWrap::~EngineWrap() {
  if (handle_ == nullptr) return;
  handle_->stop_saving = true;
  napi_remove_env_cleanup_hook(env_, end_with_environment, this);
  handle_.reset();
}

void EngineWrap::end_with_environment(void* self) {
  auto& handle = static_cast<EngineWrap*>(self)->handle_;
  handle->stop_saving = true;
  handle.reset();
}

Engine& EngineWrap::engine() {
  if (handle_ == nullptr) throw Error(ErrorCode::kDisposed, "this engine has been disposed");
  return *handle_->engine;
}

// Arguments are read before the engine is looked for: reading them may call JavaScript, and that
// may dispose the engine.
Napi::Value EngineWrap::submit(const Napi::CallbackInfo& info) {
  Request request = request_from(info[0]);
  engine().submit(std::move(request));
  return info.Env().Undefined();
}

Napi::Value EngineWrap::cancel(const Napi::CallbackInfo& info) {
  const auto id = integer_from<uint64_t>(info[0], "id");
  if (handle_ != nullptr) engine().cancel(id);
  return info.Env().Undefined();
}

Napi::Value EngineWrap::unpin(const Napi::CallbackInfo& info) {
  const auto pin = integer_from<uint64_t>(info[0], "pin");
  if (handle_ != nullptr) engine().unpin(pin);
  return info.Env().Undefined();
}

Napi::Value EngineWrap::begin_batch(const Napi::CallbackInfo& info) {
  const auto batch = integer_from<uint64_t>(info[0], "batch");
  auto shared = array_from<int32_t>(info[1], "sharedWithNext");
  engine().begin_batch(batch, std::move(shared));
  return info.Env().Undefined();
}

Napi::Value EngineWrap::skip_batch_item(const Napi::CallbackInfo& info) {
  const auto batch = integer_from<uint64_t>(info[0], "batch");
  const auto rank = integer_from<int32_t>(info[1], "rank");
  if (handle_ != nullptr) engine().skip_batch_item(batch, rank);
  return info.Env().Undefined();
}

Napi::Value EngineWrap::explain(const Napi::CallbackInfo& info) {
  auto object = Napi::Object::New(info.Env());
  object.Set("steps", to_js(info.Env(), engine().explain()));
  object.Set("edits", to_js(info.Env(), engine().explain_edits()));
  return object;
}

Napi::Value EngineWrap::clear_cache(const Napi::CallbackInfo& info) {
  engine().clear_cache();
  return info.Env().Undefined();
}

Napi::Value EngineWrap::keep_alive(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr) handle_->channel->keep_alive(info.Env(), info[0].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value EngineWrap::stats(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), engine().stats());
}

Napi::Value EngineWrap::description(const Napi::CallbackInfo& info) {
  auto object = Napi::Object::New(info.Env());
  auto device = to_js(info.Env(), engine().device());
  if (const auto& note = engine().device_note(); !note.empty()) device.Set("note", note);
  object.Set("device", device);
  object.Set("weights", engine().weights());
  object.Set("kvFormat", kv_format_name(engine().kv_format()));
  object.Set("kvBytesPerToken", static_cast<double>(engine().kv_bytes_per_token()));
  object.Set("contextLength", engine().context_length());
  object.Set("vocabulary", engine().config().vocabulary);
  object.Set("architecture", engine().config().architecture);
  object.Set("layers", engine().config().n_layers());
  if (const int room = engine().guide_room(); room > 0) object.Set("draftContextLength", room);
  return object;
}

/** saveLayout(path): Promise; the engine goes on meanwhile. */
Napi::Value EngineWrap::save_layout(const Napi::CallbackInfo& info) {
  const auto work = [handle = handle_, path = string_from(info[0], "path")] {
    if (handle == nullptr) throw Error(ErrorCode::kDisposed, "this engine has been disposed");
    const std::lock_guard lock(handle->saving);
    if (handle->engine == nullptr) throw Error(ErrorCode::kDisposed, "the engine was disposed");
    handle->engine->save_layout(path, handle->stop_saving);
    return handle;
  };
  const auto finish = [](Napi::Env env, std::shared_ptr<EngineHandle>) { return env.Undefined(); };
  return PromiseWork<std::shared_ptr<EngineHandle>>::run(info.Env(), work, finish);
}

/** Ends the engine's thread on a worker thread, because a step in flight may take a while. If there
 * is no memory for that, it ends here. */
Napi::Value EngineWrap::dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto handle = std::exchange(handle_, nullptr);
  if (handle != nullptr) napi_remove_env_cleanup_hook(env_, end_with_environment, this);
  const auto work = [handle] {
    end(handle);
    return handle;
  };
  const auto finish = [](Napi::Env after, std::shared_ptr<EngineHandle>) {
    return after.Undefined();
  };
  try {
    return PromiseWork<std::shared_ptr<EngineHandle>>::run(env, work, finish);
  } catch (const std::bad_alloc&) {
    end(handle);
  }
  const auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Resolve(env.Undefined());
  return deferred.Promise();
}

/** Null is allowed. */
void EngineWrap::end(const std::shared_ptr<EngineHandle>& handle) {
  if (handle == nullptr) return;
  handle->stop_saving = true;
  const std::lock_guard lock(handle->saving);
  handle->engine.reset();
}

}  // namespace cachalot::addon
