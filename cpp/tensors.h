// Tensors of Python as memory: through the C functions of DLPack 1.3's exchange, which torch has from 2.11 on. They take
// some 20 ns, where a tensor's address and shape would take 300 as attributes. No header of torch is needed.
#pragma once
#include <nanobind/nanobind.h>

#include <cstdint>
#include <vector>

namespace gatewise {

namespace dlpack {
// As dlpack.h lays them out; only what is read here has a name of its own.
struct Tensor {
    void *data;
    int32_t device, device_number;
    int32_t n_dimensions;
    uint8_t kind, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t offset;
};
struct Exchange {
    uint32_t major, minor;
    Exchange *older;
    void *allocate, *give, *take;
    int (*view)(void *object, Tensor *out);  // 0, or -1 with an error of Python
    void *current_stream;
};
constexpr int32_t CPU = 1;
constexpr uint8_t FLOATING = 2;
}  // namespace dlpack

// The types whose objects can be read, and the functions that do.
struct Readable {
    PyTypeObject *tensor = nullptr, *parameter = nullptr;
    const dlpack::Exchange *exchange = nullptr;
    PyObject *version = nullptr, *is_neg = nullptr;  // names of attributes

    // False where these types have no such functions.
    bool know(nanobind::handle tensor_type, nanobind::handle parameter_type) {
        nanobind::object capsule = nanobind::getattr(tensor_type, "__dlpack_c_exchange_api__", nanobind::none());
        if (!PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api")) return false;
        auto *found = static_cast<dlpack::Exchange *>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
        while (found != nullptr && found->major != 1) found = found->older;
        if (found == nullptr || found->view == nullptr) return false;
        // For good, as the types themselves.
        capsule.release();
        tensor = reinterpret_cast<PyTypeObject *>(tensor_type.inc_ref().ptr());
        parameter = reinterpret_cast<PyTypeObject *>(parameter_type.inc_ref().ptr());
        version = PyUnicode_InternFromString("_version");
        is_neg = PyUnicode_InternFromString("is_neg");
        exchange = found;
        return true;
    }

    bool view(PyObject *object, dlpack::Tensor &out) const {
        if (exchange == nullptr || (Py_TYPE(object) != tensor && Py_TYPE(object) != parameter)) return false;
        if (exchange->view(object, &out) == 0) return true;
        PyErr_Clear();  // whoever asked finds out what it is, and says so
        return false;
    }

    // Whether a tensor is a view whose memory holds its numbers before they are negated, of which DLPack says nothing.
    bool negated(PyObject *object) const {
        PyObject *found = PyObject_CallMethodNoArgs(object, is_neg);
        if (found == nullptr) PyErr_Clear();
        const bool is = found != Py_False;
        Py_XDECREF(found);
        return is;
    }

    // How often a tensor has been written to; -1 where nobody counts.
    int64_t writes(PyObject *object) const {
        PyObject *number = PyObject_GetAttr(object, version);
        const int64_t found = number == nullptr ? -1 : PyLong_AsLongLong(number);
        Py_XDECREF(number);
        if (PyErr_Occurred()) PyErr_Clear();
        return found;
    }
};

inline Readable &readable() {
    static Readable types;
    return types;
}

// Tensors that may have been replaced or written to since they were read.
class Watch {
    struct Entry {
        nanobind::object table, name, value;  // it stood under this name in this dictionary
        void *data;
        int64_t writes;
    };
    std::vector<Entry> entries;

   public:
    void add(nanobind::object table, nanobind::object name, nanobind::object value) {
        dlpack::Tensor tensor{};
        readable().view(value.ptr(), tensor);
        entries.push_back({table, name, value, tensor.data, readable().writes(value.ptr())});
    }

    bool changed() const {
        const Readable &types = readable();
        for (const Entry &entry : entries) {
            if (PyDict_GetItem(entry.table.ptr(), entry.name.ptr()) != entry.value.ptr()) return true;
            dlpack::Tensor tensor{};
            types.view(entry.value.ptr(), tensor);
            if (tensor.data != entry.data || types.writes(entry.value.ptr()) != entry.writes) return true;
        }
        return false;
    }
};

}  // namespace gatewise
