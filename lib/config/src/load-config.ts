import { DomainError, formatValue } from '@rhizome/errors';
import type { z } from 'zod';
import { environmentName, fromText, leavesOf, shapeOf } from './schema-walk.js';
import { findUnknownKeys, isTree, readYaml, type Tree } from './yaml-file.js';

/** Where a configuration comes from. */
export interface ConfigSource<S extends z.ZodObject> {
  /** Allowed settings with their defaults; sections are nested objects. */
  readonly schema: S;
  /** The environment, handed in by the one `config.ts` of a service. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Prefix of the variables, with its underscore: `RHIZOME_CORE_`. */
  readonly prefix: string;
  /** Path of a YAML file; it must exist when it is given. */
  readonly file?: string | undefined;
  /** Dotted paths of settings whose values are never printed. */
  readonly secrets?: readonly string[];
}

/** Read-only all the way down. */
export type DeepReadonly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/**
 * Reads a configuration: environment over file over defaults. An empty variable counts as not set.
 * @throws DomainError CONFIG_INVALID that lists every fault at once: variable or YAML path, value (never of a
 * secret), and what would be right.
 */
export function loadConfig<S extends z.ZodObject>(source: ConfigSource<S>): DeepReadonly<z.output<S>> {
  const faults: string[] = [];
  const fromFile = source.file === undefined ? {} : readYaml(source.file, faults);
  if (source.file !== undefined) findUnknownKeys(fromFile, source.schema, source.file, faults);
  const { tree, variables } = overlay(source, fromFile);
  const result = source.schema.safeParse(tree);
  if (!result.success) {
    for (const issue of result.error.issues) faults.push(describe(issue, source, tree, variables));
  }
  if (faults.length > 0 || !result.success) throw invalid(faults);
  return deepFreeze(result.data) as DeepReadonly<z.output<S>>;
}

function invalid(faults: readonly string[]): DomainError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return new DomainError(
    'CONFIG_INVALID',
    `the configuration has ${count}:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    {
      faults,
    },
  );
}

/** The file's tree with the environment's values over it, and the variable that set each path. */
function overlay<S extends z.ZodObject>(
  source: ConfigSource<S>,
  fromFile: Tree,
): { tree: Tree; variables: Map<string, string> } {
  const tree = structuredClone(fromFile);
  addSections(tree, source.schema);
  const variables = new Map<string, string>();
  for (const { path, schema } of leavesOf(source.schema)) {
    const name = environmentName(source.prefix, path);
    const text = source.env[name];
    if (text === undefined || text === '') continue;
    const parent = sectionAt(tree, path.slice(0, -1));
    const key = path.at(-1);
    if (!parent || key === undefined) continue;
    parent[key] = fromText(text, schema);
    variables.set(path.join('.'), name);
  }
  return { tree, variables };
}

/**
 * Sections that nobody mentions are empty rather than missing: defaults and faults are those of their
 * settings.
 */
function addSections(tree: Tree, schema: z.ZodType): void {
  for (const [key, inner] of Object.entries(shapeOf(schema) ?? {})) {
    if (!shapeOf(inner)) continue;
    if (tree[key] === undefined && !inner.safeParse(undefined).success) tree[key] = {};
    const section = tree[key];
    if (isTree(section)) addSections(section, inner);
  }
}

function sectionAt(tree: Tree, path: readonly string[]): Tree | undefined {
  let current = tree;
  for (const part of path) {
    const next = (current[part] ??= {});
    if (!isTree(next)) return undefined;
    current = next;
  }
  return current;
}

function describe<S extends z.ZodObject>(
  issue: z.core.$ZodIssue,
  { prefix, file, secrets = [] }: ConfigSource<S>,
  tree: Tree,
  variables: ReadonlyMap<string, string>,
): string {
  const path = issue.path.map(String);
  const dotted = path.join('.');
  const value = valueAt(tree, path);
  const place = placeOf(path, value, { prefix, file, variables });
  if (value === undefined) return `${place} is not set; ${expectation(issue)}`;
  if (isSecret(path, secrets))
    return `${place} has a wrong value (secret, not shown); ${expectation(issue, value)}`;
  return `${place} is ${formatValue(maskInside(value, dotted, secrets))}; ${expectation(issue)}`;
}

/** The variable that set the value, the path in the file, or both if the value is missing. */
function placeOf(
  path: readonly string[],
  value: unknown,
  {
    prefix,
    file,
    variables,
  }: { prefix: string; file: string | undefined; variables: ReadonlyMap<string, string> },
): string {
  for (let length = path.length; length > 0; length--) {
    const name = variables.get(path.slice(0, length).join('.'));
    if (name) return length === path.length ? name : `${name} (${path.slice(length).join('.')})`;
  }
  const dotted = path.join('.') || 'the whole';
  if (value !== undefined) return file ? `${file}: ${dotted}` : dotted;
  return file ? `${environmentName(prefix, path)} (or ${dotted} in ${file})` : environmentName(prefix, path);
}

function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? (at as Tree)[part] : undefined),
    tree,
  );
}

function isSecret(path: readonly string[], secrets: readonly string[]): boolean {
  return path.some((_part, index) => secrets.includes(path.slice(0, index + 1).join('.')));
}

function maskInside(value: unknown, dotted: string, secrets: readonly string[]): unknown {
  if (!isTree(value)) return value;
  const inside = secrets
    .filter((s) => dotted === '' || s.startsWith(`${dotted}.`))
    .map((s) => (dotted === '' ? s : s.slice(dotted.length + 1)));
  return redact(value, inside);
}

/**
 * zod's words without its preface; a message of our own schema is taken as it is, unless it quotes a secret.
 */
function expectation(issue: z.core.$ZodIssue, secretValue?: unknown): string {
  const text = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received \w+$/, '');
  if (typeof secretValue === 'string' && text.includes(secretValue))
    return 'see the documentation of this setting';
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** A copy for logs in which the values at these dotted paths are `***`. */
export function redact(
  config: Readonly<Record<string, unknown>>,
  secrets: readonly string[],
): Record<string, unknown> {
  const copy: Tree = {};
  for (const [key, value] of Object.entries(config)) {
    const inside = secrets
      .filter((path) => path.startsWith(`${key}.`))
      .map((path) => path.slice(key.length + 1));
    if (secrets.includes(key) && value !== undefined) copy[key] = '***';
    else copy[key] = isTree(value) && inside.length > 0 ? redact(value, inside) : value;
  }
  return copy;
}

function deepFreeze<T>(value: T): T {
  if (
    typeof value === 'object' &&
    value !== null &&
    !Object.isFrozen(value) &&
    (Array.isArray(value) || isPlain(value))
  ) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
