import { z } from 'zod';

/** A place of the schema that takes one value: not an object with known keys. */
export interface Leaf {
  readonly path: readonly string[];
  readonly schema: z.ZodType;
}

/** The schema inside optional, default, nullable, readonly and the like. */
function unwrap(schema: z.ZodType): z.ZodType {
  let current: z.ZodType = schema;
  for (;;) {
    if (current instanceof z.ZodPipe) current = current.in as z.ZodType;
    else if (
      current instanceof z.ZodOptional ||
      current instanceof z.ZodDefault ||
      current instanceof z.ZodPrefault ||
      current instanceof z.ZodNullable ||
      current instanceof z.ZodNonOptional ||
      current instanceof z.ZodCatch ||
      current instanceof z.ZodReadonly
    ) {
      current = current.unwrap() as z.ZodType;
    } else return current;
  }
}

/** The keys of an object schema, however it is wrapped; undefined for any other schema. */
export function shapeOf(schema: z.ZodType): Record<string, z.ZodType> | undefined {
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? (inner.shape as Record<string, z.ZodType>) : undefined;
}

/** Every place that the environment can set, in the order of the schema. */
export function leavesOf(schema: z.ZodType, path: readonly string[] = []): Leaf[] {
  const shape = shapeOf(schema);
  if (!shape) return [{ path, schema }];
  return Object.entries(shape).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

/** `['limits', 'maxDepth']` with prefix `APP_` is `APP_LIMITS_MAX_DEPTH`. */
export function environmentName(prefix: string, path: readonly string[]): string {
  const words = path.map((part) =>
    part.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z])([A-Z][a-z])/g, '$1_$2'),
  );
  return `${prefix}${words.join('_')}`.toUpperCase();
}

/**
 * The text of a variable as the value that the schema takes: numbers, booleans (true, false, 1, 0), lists
 * (comma-separated or JSON) and records (JSON). A text that is none of these stays a text; the schema then
 * says so.
 */
export function fromText(text: string, schema: z.ZodType): unknown {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodNumber) return numberOr(text);
  if (inner instanceof z.ZodBoolean)
    return (
      ({ true: true, '1': true, false: false, '0': false } as Record<string, unknown>)[text.toLowerCase()] ??
      text
    );
  if (inner instanceof z.ZodArray) return listFrom(text, inner.element as z.ZodType);
  if (inner instanceof z.ZodRecord || inner instanceof z.ZodTuple) return jsonOr(text);
  if (inner instanceof z.ZodUnion && !inner.safeParse(text).success) return jsonOr(text);
  if (inner instanceof z.ZodLiteral && !inner.safeParse(text).success) return jsonOr(text);
  return text;
}

function listFrom(text: string, element: z.ZodType): unknown {
  if (text.trim().startsWith('[')) return jsonOr(text);
  return text.split(',').map((part) => fromText(part.trim(), element));
}

function numberOr(text: string): unknown {
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text;
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** One setting, as documentation shows it. */
export interface Setting {
  /** The variable that sets it. */
  readonly variable: string;
  /** True if the setting must be given. */
  readonly isNeeded: boolean;
  /** Its value unless it is given; undefined where there is none. */
  readonly default: unknown;
}

/** Every setting that the environment can give, in the order of the schema. */
export function settingsOf(schema: z.ZodType, prefix: string): readonly Setting[] {
  return leavesOf(schema).map(({ path, schema: leaf }) => {
    const { success, data } = leaf.safeParse(undefined);
    return { variable: environmentName(prefix, path), isNeeded: !success, default: data };
  });
}
