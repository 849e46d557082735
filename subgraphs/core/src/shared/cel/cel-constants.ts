/**
 * Checks the constant parts of a condition, which depend on no variable. A part that fails, such as 1 / 0,
 * makes the condition false for every input. Pure.
 */
import { Environment, serialize } from '@marcbachmann/cel-js';
import { comprehensions, firstLine, isCelNode } from './cel-syntax.js';

type Node = Parameters<typeof serialize>[0];

const divisions: ReadonlySet<unknown> = new Set(['/', '%']);
const environment = new Environment();

/**
 * Expected form for a condition that nothing can meet; undefined if its constant parts are valid.
 * @param subject what the condition is about, such as `a worker`
 */
export function constantFault(ast: Node, subject: string): string | undefined {
  const faults: string[] = [];
  if (visit(ast, faults).size > 0) return faults[0];
  const { value, fault } = evaluate(ast);
  return fault ?? (value === false ? `a condition that ${subject} can meet; it is never true` : undefined);
}

const none: ReadonlySet<string> = new Set();

/**
 * Collects the free variables of a part. The largest constant parts below a non-constant one are evaluated.
 */
function visit(node: Node, faults: string[]): ReadonlySet<string> {
  if (node.op === 'value') return none;
  if (node.op === 'id') return new Set([String(node.args)]);
  const children = childrenOf(node).map((child) => ({ child, free: visit(child, faults) }));
  const bound = boundBy(node);
  const free = new Set(children.flatMap((one) => [...one.free]).filter((name) => name !== bound));
  if (free.size === 0) return free;
  for (const one of children) {
    const fault = one.free.size === 0 ? evaluate(one.child).fault : undefined;
    if (fault !== undefined) faults.push(fault);
  }
  const divisor = divisions.has(node.op) ? children[1] : undefined;
  if (divisor?.free.size === 0 && isZero(evaluate(divisor.child).value))
    faults.push(wrong(node, node.op === '/' ? 'division by zero' : 'modulo by zero'));
  return free;
}

function childrenOf(node: Node): readonly Node[] {
  const flat: readonly unknown[] = [node.args].flat(Infinity);
  const children = flat.filter((part): part is Node => isCelNode(part));
  return boundBy(node) === undefined ? children : children.filter((child) => child !== variableOf(node));
}

/** Variable that a comprehension binds to each entry. */
function boundBy(node: Node): string | undefined {
  const variable = variableOf(node);
  return variable?.op === 'id' ? String(variable.args) : undefined;
}

function variableOf({ op, args }: Node): Node | undefined {
  if (op !== 'rcall' || !Array.isArray(args) || !comprehensions.has(args[0])) return undefined;
  return ([args[2]] as unknown[]).flat()[0] as Node | undefined;
}

function evaluate(node: Node): { readonly value?: unknown; readonly fault?: string } {
  if (node.op === 'value') return { value: node.args };
  try {
    return { value: environment.evaluate(serialize(node)) };
  } catch (error) {
    return { fault: wrong(node, firstLine(error)) };
  }
}

function wrong(node: Node, reason: string): string {
  return `parts that have a value; \`${serialize(node)}\` has none: ${reason}`;
}

function isZero(value: unknown): boolean {
  return value === 0n || (typeof value === 'object' && value !== null && Number(value.valueOf()) === 0);
}
