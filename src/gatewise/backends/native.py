"""Functions for the pointwise programs of the commonest cells, written in C++ from the same equations.

    python -m gatewise.backends.native cpp

writes `native_keys.h` (the programs) and `native.h` (a function for each), and `grid_native_keys.h` and `grid_native.h`
for cells of grids; a test holds the files to what this module writes. The core looks a program up by its instructions:
one that is found runs as a function whose values stay in the processor's registers, all others are interpreted.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gatewise.backends.grid_plan import listed
from gatewise.backends.plan import Listing, own_places, programs
from gatewise.cells import (
    GRU,
    JANET,
    LSTM,
    MDLSTM,
    SLSTM,
    Cell,
    Elman,
    OdysseyCIFG,
    OdysseyNFG,
    OdysseyNIAF,
    OdysseyNIG,
    OdysseyNOAF,
    OdysseyNOG,
)
from gatewise.equations.bytecode import CONSTANT, LOAD, OPCODES, STORE
from gatewise.equations.expr import Expr, intern
from gatewise.equations.program import compile

CELLS: tuple[Cell, ...] = (
    *(LSTM(bias, **switch) for switch in ({}, {"peephole": True}, {"coupled": True}) for bias in (True, False)),
    *(LSTM(bias, layer_norm=True) for bias in (True, False)),
    *(GRU(bias) for bias in (True, False)),
    Elman("tanh", True),
    LSTM(forget_gate=False),
    *(OdysseyNIG(), OdysseyNFG(), OdysseyNOG(), OdysseyNIAF(), OdysseyNOAF(), OdysseyCIFG()),
    JANET(),
    SLSTM(),
)

GRID_CELLS = tuple(
    MDLSTM(memory_cell, peephole) for memory_cell in ("forget", "stable", "leaky") for peephole in (True, False)
)

# How the operations that these cells use are spelled; `x`, `y` and `z` are the operands.
SPELLED = {
    "add": "x + y",
    "sub": "x - y",
    "mul": "rounded(x * y)",
    "div": "x / y",
    "neg": "-x",
    "square": "rounded(x * x)",
    "exp": "rounded(Functions<S>::exp(x))",
    "expm1": "Functions<S>::expm1(x)",
    "logsigmoid": "-Functions<S>::softplus(-x)",
    "maximum": "Choices<S>::maximum(x, y)",
    "where": "Choices<S>::where(x, y, z)",
    "gt": "Choices<S>::truth(x > y)",
    "lt": "Choices<S>::truth(x < y)",
    "sigmoid": "Functions<S>::sigmoid(x)",
    "tanh": "rounded(Functions<S>::tanh(x))",
    "detach": "x",
}
NOTE = "// Written by `python -m gatewise.backends.native cpp`: not to be changed by hand."


# The lines that a program runs over: sequences at one turn, or the lines of a chunk, each at a turn of its own.
TURN, CHUNK = "TurnLines", "ChunkLines"
GRID = "GridLines"  # positions of a diagonal


def listings() -> dict[Listing, set[str]]:
    """The programs of the forward in inference and in training, and of the backward, and what each runs over."""
    found: dict[Listing, set[str]] = {}
    for cell in CELLS:
        step = cell.trace()
        sizes = {"X": 2, "H": 3}
        places = own_places(step.parameters)
        for wanted in (("x",), ()):
            program = compile(step, (step.output,), wanted)
            earlier: dict[Expr, tuple[Expr, Expr]] = {
                step.states[name]: (step.updates[name], intern("input", (), f"@first_{name}", "H"))
                for name in program.previous
            }
            for schedule, before in ((program.forward, {}), (program.training, {}), (program.reverse, earlier)):
                for phase, listing in programs(schedule, sizes, places, before):
                    found.setdefault(listing, set()).add(TURN if phase in ("once", "loop") else CHUNK)
    return found


def grid_listings() -> dict[Listing, set[str]]:
    """The programs of cells of grids: of inference, training and the backward."""
    found: dict[Listing, set[str]] = {}
    for cell in GRID_CELLS:
        for program in listed(cell.program()):
            found.setdefault(program.listing, set()).add(GRID)
    return found


def keys(programs: Iterable[Listing], grid: bool = False) -> str:
    """The programs as tables."""
    kind, table = ("GridNativeKey", "GRID_NATIVE") if grid else ("NativeKey", "NATIVE")
    lines = [NOTE, "#pragma once", "#include <cstdint>", "", "namespace gatewise {", ""]
    lines += [
        f"struct {kind} {{",
        "    int64_t n_products, n_arrays, n_instructions;",
        "    const int64_t *instructions;",
        "    int64_t n_numbers;",
        "    const double *numbers;",
        "};",
        "",
    ]
    programs = list(programs)
    for k, (_, _, listing, numbers) in enumerate(programs):
        rows = [", ".join(map(str, listing[n : n + 5])) for n in range(0, len(listing), 5)]
        lines.append(f"static const int64_t {table}_{k}[] = {{")
        lines += [f"    {row}," for row in rows]
        lines.append("};")
        values = ", ".join(repr(number) for number in numbers) or "0"
        lines.append(f"static const double {table}_NUMBERS_{k}[] = {{{values}}};")
    lines += ["", f"static const {kind} {table}_KEYS[] = {{"]
    for k, (products, arrays, listing, numbers) in enumerate(programs):
        lines.append(
            f"    {{{products}, {arrays}, {len(listing) // 5}, {table}_{k}, {len(numbers)}, {table}_NUMBERS_{k}}},"
        )
    lines += ["};", f"constexpr int64_t N_{table} = {len(programs)};", "", "}  // namespace gatewise", ""]
    return "\n".join(lines)


def functions(programs: Mapping[Listing, set[str]], kinds: Iterable[str] = (TURN, CHUNK)) -> str:
    """A function for each program, and for each kind of lines one that chooses among them."""
    where = "grid.cpp" if GRID in kinds else "level.cpp"
    lines = [NOTE, f"// Included by {where} only, inside the level's namespace.", "#pragma once", ""]
    for k, program in enumerate(programs):
        lines += [*_function(k, program), ""]
    for kind in kinds:
        lines += [
            "// False where there is no function for the program: in float64 there is none.",
            "template <typename S>",
            f"bool native(const Program &program, const {kind}<S> &lines, int64_t line, int64_t count, int64_t unit,",
            "            int side, const S *products) {",
            "    if constexpr (sizeof(S) == sizeof(float)) switch (program.native) {",
        ]
        lines += [
            f"        case {k}: native_{k}(program, lines, line, count, unit, side, products); return true;"
            for k, used in enumerate(programs.values())
            if kind in used
        ]
        lines += ["        default: break;", "    }", "    return false;", "}", ""]
    return "\n".join(lines)


def _function(number: int, program: Listing) -> Iterator[str]:
    products, arrays, listing, numbers = program
    instructions = [listing[n : n + 5] for n in range(0, len(listing), 5)]
    names = {code: name for name, code in OPCODES.items()}
    yield "template <typename Lines>"
    yield f"void native_{number}(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,"
    yield "              int side, const float *products) {"
    yield "    typedef float S;"
    yield "    typedef Vec<S>::type V;"
    yield "    constexpr int L = Vec<S>::lanes;"
    for array in range(products, arrays):
        yield f"    const auto at{array} = lines.at(program.arrays[{array}]);"
    yield "    for (int64_t r = 0; r < count; r++) {"
    yield "        const S *p = products + r * side * L;"
    yield "        (void)p;"
    for array in range(products, arrays):
        yield f"        S *const a{array} = at{array}(line + r) + unit;"
    yield "        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {"
    count = 0
    register: dict[int, str] = {}
    for opcode, target, *operands in instructions:
        name = names[opcode]
        if name == STORE:
            yield f"            write(a{target} + s, {register[operands[0]]});"
            continue
        value = f"v{count}"
        count += 1
        if name == LOAD:
            array = operands[0]
            source = f"load(p + {array} * BLOCK * L + s)" if array < products else f"read(a{array} + s)"
        elif name == CONSTANT:
            source = f"splat(S({numbers[operands[0]]!r}))"
        else:
            source = SPELLED[name]
            for letter, operand in zip("xyz", operands, strict=False):
                source = _replaced(source, letter, register.get(operand, ""))
        register[target] = value
        yield f"            const V {value} = {source};"
    yield "        });"
    yield "    }"
    yield "}"


def _replaced(text: str, letter: str, value: str) -> str:
    """A spelling with one operand filled in: single letters only, not those of words."""
    found, before = [], ""
    for k, sign in enumerate(text):
        after = text[k + 1] if k + 1 < len(text) else ""
        alone = sign == letter and not before.isalnum() and not after.isalnum()
        found.append(value if alone else sign)
        before = sign
    return "".join(found)


def main() -> None:
    """Write the files into the folder that is named."""
    folder, found, grid = Path(sys.argv[1]), listings(), grid_listings()
    (folder / "native_keys.h").write_text(keys(found), encoding="utf-8")
    (folder / "native.h").write_text(functions(found), encoding="utf-8")
    (folder / "grid_native_keys.h").write_text(keys(grid, grid=True), encoding="utf-8")
    (folder / "grid_native.h").write_text(functions(grid, (GRID,)), encoding="utf-8")


if __name__ == "__main__":
    main()
