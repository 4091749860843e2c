"""Transforms: from a step to a step that does something more.

Whatever they add (a mask, for instance) is an input of the new step, named with a leading "@" so that it cannot be one
of the cell's own; drawing or making it is the layer's business. Since the result is a step, its derivative, schedule
and kernels come from where all others come from.
"""

from collections.abc import Mapping
from dataclasses import replace

from gatewise.equations.expr import Expr, constant, input, intern, parameter, rebuild, topological
from gatewise.equations.ops import clip_grad, where
from gatewise.equations.rows import normalise, normalise_jointly
from gatewise.equations.step import Step, parameters
from gatewise.errors import CellError, nearest

VALID, RESET = "@valid", "@reset"


def padding(step: Step) -> Step:
    """States stay as they are where the input `@valid` (one number a step) is 0.

    >>> from gatewise.equations import trace
    >>> print(padding(trace("Sum", lambda x, h: {"h": x + h}, inputs={"x": "H"}, states={"h": "H"})))
    Sum: x [H], @valid []; states h [H]; output h
      h' = where(@valid, x + h, h)
    parameters: none
    """
    valid = input(VALID, None)
    updates = {name: where(valid, update, step.states[name]) for name, update in step.updates.items()}
    return _with(step, updates=updates, more={VALID: valid})


def resets(step: Step) -> Step:
    """States start anew before a step where the input `@reset` (one number a step) is not 0.

    A learned initial value is the parameter `initial_NAME`.
    """
    reset = input(RESET, None)
    fresh = {leaf: where(reset, _initial(step, name), leaf) for name, leaf in step.states.items()}
    done = rebuild(_roots(step), fresh)
    return _with(step, replaced=done, more={RESET: reset})


def zoneout(step: Step, rates: Mapping[str, float], training: bool) -> Step:
    """States that keep some of their units' old values: Krueger et al. (2017), Zoneout, eqs. 3-5.

    Args:
        step: the step.
        rates: for each state the share of units that keep their value.
        training: units are chosen by the inputs `@zoneout_NAME` (1 where the new value is taken); otherwise every unit
            is the mixture that is expected.

    Raises:
        CellError: there is no such state, or it starts at infinity.
    """
    updates, more = dict(step.updates), {}
    for name, rate in rates.items():
        if name not in step.states:
            raise CellError(f'zoneout: {step.name} has no state "{name}"; {nearest(name, step.states)}')
        if step.initial[name] in (float("inf"), float("-inf")):
            raise CellError(f'zoneout: the state "{name}" of {step.name} starts at infinity, which no mixture survives')
        old, new = step.states[name], step.updates[name]
        if training:
            mask = more[f"@zoneout_{name}"] = input(f"@zoneout_{name}", old.width)
            updates[name] = where(mask, new, old)
        else:
            updates[name] = old + (1 - rate) * (new - old)
    return _with(step, updates=updates, more=more)


def recurrent_dropout(step: Step, name: str) -> Step:
    """The observed value `name`, wherever it is used, times the input `@keep_NAME`.

    Semeniuta, Severyn & Barth (2016), Recurrent Dropout without Memory Loss, eq. 15: what is added to the cell is
    dropped, never what the cell remembers.

    Raises:
        CellError: there is no such value.
    """
    if name not in step.observed:
        raise CellError(f'recurrent dropout: {step.name} has no value "{name}"; {nearest(name, step.observed)}')
    value = step.observed[name]
    mask = input(f"@keep_{name}", value.width)
    done = rebuild(_roots(step), {value: value * mask})
    return _with(step, replaced=done, more={f"@keep_{name}": mask}, observe=False)


def variational_dropout(step: Step, name: str) -> Step:
    """The state `name`, wherever a matrix is multiplied with it, times the input `@variational_NAME`.

    Gal & Ghahramani (2016), A Theoretically Grounded Application of Dropout in Recurrent Neural Networks, eq. 7; with
    the same mask for all gates.

    Raises:
        CellError: there is no such state, or no matrix is multiplied with it.
    """
    if name not in step.states:
        raise CellError(f'variational dropout: {step.name} has no state "{name}"; {nearest(name, step.states)}')
    leaf = step.states[name]
    mask = input(f"@variational_{name}", leaf.width)
    products = [node for node in recurrent_products(step) if leaf in topological(node.args)]
    if not products:
        raise CellError(f'variational dropout: no matrix of {step.name} is multiplied with the state "{name}"')
    # Also where it is read through other operations: a gated state, `U (r * h)`, or a detached one.
    operands = rebuild([node.args[0] for node in products], {leaf: leaf * mask})
    dropped = {node: intern("matmul", (operands[node.args[0]],), node.attr, node.width) for node in products}
    return _with(step, replaced=rebuild(_roots(step), dropped), more={f"@variational_{name}": mask})


def recurrent_products(step: Step) -> list[Expr]:
    """The products of matrices with the output of the step before, or with another state of it as it was.

    The output may have gone through other operations first, as in `U (r * h)`. A product that is a state's new value as
    it is (a projection) is none of them.
    """
    order = topological(_roots(step))
    output = step.states[step.output]
    reached = {output}
    for node in order:
        if any(arg in reached for arg in node.args):
            reached.add(node)
    found = []
    for node in order:
        if node.op == "matmul" and node not in step.updates.values():
            operand = node.args[0]
            while operand.op in ("detach", "clip_grad"):
                operand = operand.args[0]
            if operand.op == "state" or node.args[0] in reached:
                found.append(node)
    return found


def layer_norm(step: Step, cell_state: str | None = None) -> Step:
    """Net inputs that are normalised: Ba, Kiros & Hinton (2016), Layer Normalization, eqs. 20-22.

    The products with one operand (`W x` of all gates, `U h` of all gates) are normalised together, as one long vector;
    each has a gain `gain_WEIGHT`. A product that is a state's new value as it is (a projection) is no net input.
    Deviation: one bias in place of the paper's three, of which only the sum acts.

    Args:
        step: the step.
        cell_state: a state whose new value is normalised as well (with `gain_NAME` and `shift_NAME`) where the same
            step reads it: before the output's tanh. Peepholes read it as it is.
    """
    order = topological(_roots(step))
    packs: dict[Expr, list[Expr]] = {}
    for node in order:
        if node.op == "matmul" and node not in step.updates.values():
            packs.setdefault(node.args[0], []).append(node)
    pack_of = {node: pack for pack in packs.values() for node in pack}
    new = step.updates[cell_state] if cell_state is not None else None
    done: dict[Expr, Expr] = {}
    for node in order:
        args = tuple(done[arg] for arg in node.args)
        if node in pack_of:
            pack = [intern("matmul", args, product.attr, product.width) for product in pack_of[node]]
            by_width = [product for product in pack if product.width == node.width]
            own = intern("matmul", args, node.attr, node.width)
            part = normalise_jointly(*by_width)[by_width.index(own)]
            done[node] = part * parameter(f"gain_{node.attr}", node.width)
            continue
        if new is not None and new in node.args and not any(arg.op == "parameter" for arg in node.args):
            normal = normalise(done[new]) * parameter(f"gain_{cell_state}", new.width)
            normal = normal + parameter(f"shift_{cell_state}", new.width)
            args = tuple(normal if arg is new else done[arg] for arg in node.args)
        done[node] = node if args == node.args else intern(node.op, args, node.attr, node.width)
    return _with(step, replaced=done)


def clip_gradient(step: Step, bound: float) -> Step:
    """Net inputs whose gradient is clipped to ±`bound`: Graves (2013), Generating Sequences With RNNs, section 2.1.

    A net input is a sum with a matrix product (normalised and scaled, or as it is) in it, as a whole: what enters a
    gate or the block input, and not the projection that a state is.

    Raises:
        CellError: the bound is not a positive number, or there is no net input.
    """
    order = topological(_roots(step))
    larger = {
        node
        for node in order
        if node.op in ("add", "sub", "normalise")
        or (node.op == "mul" and any(arg.op == "parameter" for arg in node.args))
    }
    net: set[Expr] = set()
    used: set[Expr] = set()  # by something else than a larger net input
    for node in order:
        if node.op == "matmul" or (node in larger and any(arg in net for arg in node.args)):
            net.add(node)
        if node not in net or node.op == "matmul":
            used.update(node.args)
    clipped: set[Expr] = set()
    for node in order:
        # What is made of clipped net inputs alone is none any more.
        if node.op != "matmul" and node in net and not any(arg in net and arg not in clipped for arg in node.args):
            net.remove(node)
        if node in net and node in used:
            clipped.add(node)
    if not clipped:
        raise CellError(f"clip_gradient: {step.name} has no net inputs: nothing but a sum reads its matrix products")
    done: dict[Expr, Expr] = {}
    for node in order:
        args = tuple(done[arg] for arg in node.args)
        new = node if args == node.args else intern(node.op, args, node.attr, node.width)
        done[node] = clip_grad(new, bound) if node in clipped else new
    return _with(step, replaced=done)


def _initial(step: Step, name: str) -> Expr:
    value = step.initial[name]
    return parameter(f"initial_{name}", step.states[name].width) if value == "learned" else constant(value)


def _roots(step: Step) -> list[Expr]:
    return [*step.observed.values(), *step.updates.values()]


def _with(
    step: Step,
    *,
    updates: Mapping[str, Expr] | None = None,
    replaced: Mapping[Expr, Expr] | None = None,
    more: Mapping[str, Expr] | None = None,
    observe: bool = True,
) -> Step:
    """The step with other updates, or with nodes replaced, and more (undifferentiated) inputs.

    Without `observe` the observed values themselves stay what they were, though what uses them has changed.
    """
    added = dict(more or {})
    clash = [name for name in added if name in step.inputs]
    if clash:
        raise CellError(f'{step.name}: the transform that adds the input "{clash[0]}" was applied twice')
    new_updates = dict(updates) if updates is not None else dict(step.updates)
    observed = dict(step.observed)
    if replaced is not None:
        new_updates = {name: replaced[node] for name, node in new_updates.items()}
        if observe:
            observed = {name: replaced[node] for name, node in observed.items()}
    order = topological([*observed.values(), *new_updates.values()])
    return replace(
        step,
        inputs={**step.inputs, **added},
        updates=new_updates,
        observed=observed,
        parameters=parameters(step.name, order),
        undifferentiated=step.undifferentiated | added.keys(),
    )
