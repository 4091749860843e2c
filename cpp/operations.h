// The operations of plans, by number: the same in the table of the language (`equations/ops.py`).
#pragma once
#include <cstdint>

namespace gatewise {

// Of pointwise programs.
enum Op : int64_t {
    LOAD, CONSTANT, STORE, ADD, SUB, MUL, DIV, NEG, ABS, SIGN, SQUARE, SQRT, EXP, EXPM1, LOG, LOG1P, SIGMOID, TANH,
    LOGSIGMOID, SOFTPLUS, RELU, MAXIMUM, MINIMUM, WHERE, GE, GT, LE, LT, FLOOR, DETACH, CLIP_GRAD, OPERATIONS
};

// How many registers an operation reads.
inline int arity(int64_t opcode) {
    switch (opcode) {
        case LOAD:
        case CONSTANT: return 0;
        case ADD:
        case SUB:
        case MUL:
        case DIV:
        case MAXIMUM:
        case MINIMUM:
        case GE:
        case GT:
        case LE:
        case LT:
        case CLIP_GRAD: return 2;
        case WHERE: return 3;
        default: return 1;
    }
}

// Of those that mix the units of a vector.
enum RowOp : int64_t { MEAN, TOTAL, SPREAD, NORMALISE, RSTD, REPEAT, FOLD, ROW_OPERATIONS };

}  // namespace gatewise
