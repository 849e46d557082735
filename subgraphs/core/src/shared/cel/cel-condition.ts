/**
 * Conditions in CEL with a bounded cost for any input. They are checked when they are given: they must parse,
 * have known variables and fitting types, and be a condition.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { constantFault } from './cel-constants.js';
import { comprehensions, firstLine, isCelNode } from './cel-syntax.js';

/** Limits of the syntax tree, for the environment of each kind of condition. */
export const celLimits = {
  maxAstNodes: 300,
  maxDepth: 24,
  maxListElements: 100,
  maxMapEntries: 32,
  maxCallArguments: 4,
} as const;

const maxLength = 2000;
const maxComprehensions = 4;

/**
 * Functions and macros with a cost linear in the (bounded) expression and attributes; `matches` is not:
 * patterns can be exponential.
 */
const allowedCalls = new Set([
  'size',
  'startsWith',
  'endsWith',
  'contains',
  'lowerAscii',
  'upperAscii',
  'trim',
  'indexOf',
  'lastIndexOf',
  'substring',
  'split',
  'join',
  'int',
  'uint',
  'double',
  'string',
  'bool',
  'dyn',
  'has',
  'all',
  'exists',
  'exists_one',
  'filter',
  'map',
]);

type Parsed = ReturnType<Environment['parse']>;

/** A checked condition. */
export interface CelCondition {
  readonly ast: Parsed['ast'];
  /** Returns true if the condition holds; an unknown attribute or a failed evaluation is false. */
  isMet(view: Readonly<Record<string, unknown>>): boolean;
}

/**
 * Checks a condition.
 * @param subject what meets the condition, such as `a worker`
 * @param example a condition that is right, for the message
 * @returns the condition, or the expected form
 */
export function celCondition(
  environment: Environment,
  text: string,
  subject: string,
  example: string,
): CelCondition | { readonly expected: string } {
  if (text.trim() === '') return { expected: `a CEL condition, such as ${example}` };
  if (text.length > maxLength) return { expected: `at most ${maxLength} characters; it has ${text.length}` };
  let parsed: Parsed;
  try {
    parsed = environment.parse(text);
  } catch (error) {
    return { expected: `CEL that parses: ${firstLine(error)}` };
  }
  const expected = faultOf(parsed, subject);
  if (expected !== undefined) return { expected };
  return {
    ast: parsed.ast,
    isMet(view) {
      try {
        return parsed(view) === true;
      } catch {
        return false;
      }
    },
  };
}

function faultOf(parsed: Parsed, subject: string): string | undefined {
  const refusal = callRefusal(parsed.ast);
  if (refusal !== undefined) return refusal;
  const checked = parsed.check();
  if (!checked.valid) return `known attributes and fitting types: ${firstLine(checked.error)}`;
  if (checked.type !== 'bool') return `a condition (bool); it gives ${checked.type ?? 'no type'}`;
  return constantFault(parsed.ast, subject);
}

/** Expected form if the expression calls what is not allowed; undefined if it does not. */
function callRefusal(ast: unknown): string | undefined {
  const finding: Finding = { comprehensions: 0 };
  walk(ast, false, finding);
  if (finding.comprehensions > maxComprehensions)
    finding.refusal ??= `at most ${maxComprehensions} of all, exists, exists_one, filter and map; it has ${finding.comprehensions}`;
  return finding.refusal;
}

interface Finding {
  refusal?: string;
  comprehensions: number;
}

function walk(node: unknown, inside: boolean, finding: Finding): void {
  if (Array.isArray(node)) {
    for (const part of node) walk(part, inside, finding);
    return;
  }
  if (!isCelNode(node)) return;
  if (node.op !== 'call' && node.op !== 'rcall') return walk(node.args, inside, finding);
  const [name, ...rest] = node.args as [unknown, ...unknown[]];
  const isComprehension = comprehensions.has(name);
  if (!allowedCalls.has(String(name)))
    finding.refusal ??= `no call of ${String(name)}; allowed are ${[...allowedCalls].join(', ')}`;
  if (isComprehension) {
    finding.comprehensions += 1;
    if (inside) finding.refusal ??= `no comprehension inside another: ${String(name)}`;
  }
  walk(rest, inside || isComprehension, finding);
}
