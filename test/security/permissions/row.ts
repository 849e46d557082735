/** Rows of the table: a call, and what its answer means. */
import { mutationText } from '../../e2e/system/api.js';
import type { Objects } from './objects.js';
import type { Caller, Target } from './world.js';

/** A call of a field. */
export interface Row {
  readonly text: string;
  readonly variables?: (objects: Objects, caller: Caller, target: Target) => object;
  /** Experiment of a service, in which callers have their roles; otherwise, they have them in alpha. */
  readonly home?: string;
  /** Reads from the value of an allowed call if it found the object; by default, if it is not empty. */
  readonly found?: (value: Readonly<Record<string, unknown>>, objects: Objects) => boolean;
  /** Subgraph of a reference. */
  readonly subgraph?: string;
}

/** Rows by the coordinate of their field, in the order in which they are called. */
export type Rows = readonly (readonly [string, Row])[];

type Variables = Row['variables'];

/** A query. @param field a field of `Query`, or one of another type with its type */
export const query = (
  field: string,
  text: string,
  variables?: Variables,
  more: Partial<Row> = {},
): readonly [string, Row] => [
  field.includes('.') ? field : `Query.${field}`,
  { text, ...(variables && { variables }), ...more },
];

/** A subscription, by its text without the keyword. */
export const subscription = (
  field: string,
  text: string,
  variables?: Variables,
  more: Partial<Row> = {},
): readonly [string, Row] => query(`Subscription.${field}`, `subscription ${text}`, variables, more);

/** A mutation with one input. */
export const mutation = (
  field: string,
  input: NonNullable<Variables>,
  { select, ...more }: Partial<Row> & { readonly select?: string } = {},
): readonly [string, Row] => [
  `Mutation.${field}`,
  { text: mutationText(field, select), variables: (...asked) => ({ input: input(...asked) }), ...more },
];
