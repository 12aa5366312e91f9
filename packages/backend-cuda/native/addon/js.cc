#include "js.h"

void checkNapi(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool isPending = false;
  napi_is_exception_pending(env, &isPending);
  if (!isPending) {
    const napi_extended_error_info *info = nullptr;
    napi_get_last_error_info(env, &info);
    napi_throw_error(env, nullptr, info != nullptr && info->error_message != nullptr ? info->error_message : "Node-API refused a call");
  }
  throw PendingException();
}

static napi_value textOf(napi_env env, const std::string &text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

static napi_value numberOf(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

napi_value errorOf(napi_env env, const std::exception &error) {
  napi_value value = nullptr;
  napi_create_error(env, nullptr, textOf(env, error.what()), &value);
  const auto set = [&](const char *name, napi_value property) { napi_set_named_property(env, value, name, property); };
  if (const auto *cuda = dynamic_cast<const CudaError *>(&error)) {
    set("cudaCode", numberOf(env, cuda->code));
    set("cudaName", textOf(env, cuda->name));
    set("call", textOf(env, cuda->call));
    if (cuda->launch >= 0) set("launch", numberOf(env, cuda->launch));
  } else if (const auto *missing = dynamic_cast<const DriverMissing *>(&error)) {
    set("missing", textOf(env, missing->reason));
    set("version", numberOf(env, missing->version));
  }
  return value;
}

Call::Call(napi_env env, napi_callback_info info) : env(env) { checkNapi(env, napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr)); }

napi_value Call::value(size_t i) const {
  if (i >= count) throw std::invalid_argument("an argument is missing");
  return arguments[i];
}

double Call::number(size_t i) const {
  double number;
  checkNapi(env, napi_get_value_double(env, value(i), &number));
  return number;
}

bool Call::boolean(size_t i) const {
  bool boolean;
  checkNapi(env, napi_get_value_bool(env, value(i), &boolean));
  return boolean;
}

std::string Call::text(size_t i) const {
  size_t length = 0;
  checkNapi(env, napi_get_value_string_utf8(env, value(i), nullptr, 0, &length));
  std::string text(length, '\0');
  checkNapi(env, napi_get_value_string_utf8(env, value(i), text.data(), length + 1, &length));
  return text;
}

std::span<uint8_t> Call::bytesOf(napi_value array) const {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = nullptr;
  checkNapi(env, napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr));
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: break;
    case napi_int16_array:
    case napi_uint16_array: length *= 2; break;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: length *= 4; break;
    default: length *= 8;
  }
  return {static_cast<uint8_t *>(data), length};
}

napi_value Call::undefined() const {
  napi_value value;
  checkNapi(env, napi_get_undefined(env, &value));
  return value;
}

napi_value Call::of(double number) const {
  napi_value value;
  checkNapi(env, napi_create_double(env, number, &value));
  return value;
}

napi_value Call::of(bool boolean) const {
  napi_value value;
  checkNapi(env, napi_get_boolean(env, boolean, &value));
  return value;
}

napi_value Call::of(const std::string &text) const {
  napi_value value;
  checkNapi(env, napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}

napi_value Call::ofAddress(uint64_t address) const {
  napi_value value;
  checkNapi(env, napi_create_bigint_uint64(env, address, &value));
  return value;
}

napi_value Call::object() const {
  napi_value value;
  checkNapi(env, napi_create_object(env, &value));
  return value;
}

void Call::set(napi_value object, const char *name, napi_value value) const { checkNapi(env, napi_set_named_property(env, object, name, value)); }

napi_value Call::get(napi_value object, const char *name) const {
  napi_value value;
  checkNapi(env, napi_get_named_property(env, object, name, &value));
  return value;
}

Deferred::Deferred(napi_env env) : env(env) { checkNapi(env, napi_create_promise(env, &deferred, &promise)); }

// An environment that ends refuses these; then nobody waits any more.
void Deferred::resolve(napi_value value) {
  if (value == nullptr) napi_get_undefined(env, &value);
  napi_resolve_deferred(env, deferred, value);
}

void Deferred::reject(const std::exception &error) { napi_reject_deferred(env, deferred, errorOf(env, error)); }

namespace {
struct Task {
  napi_async_work work;
  std::function<void()> run;
  std::function<void(std::exception_ptr)> done;
  std::exception_ptr failure;
};
}

void runOffThread(napi_env env, std::function<void()> work, std::function<void(std::exception_ptr)> done) {
  auto task = std::make_unique<Task>(Task{nullptr, std::move(work), std::move(done), nullptr});
  const auto execute = [](napi_env, void *data) {
    auto *task = static_cast<Task *>(data);
    try {
      task->run();
    } catch (...) {
      task->failure = std::current_exception();
    }
  };
  const auto complete = [](napi_env env, napi_status, void *data) {
    std::unique_ptr<Task> task(static_cast<Task *>(data));
    task->done(task->failure);
    napi_delete_async_work(env, task->work);
  };
  napi_value name;
  checkNapi(env, napi_create_string_utf8(env, "facet-cuda", NAPI_AUTO_LENGTH, &name));
  checkNapi(env, napi_create_async_work(env, nullptr, name, execute, complete, task.get(), &task->work));
  const napi_status status = napi_queue_async_work(env, task->work);
  if (status != napi_ok) napi_delete_async_work(env, task->work);
  checkNapi(env, status);
  task.release();
}
