/** References to entities of core by their keys. Nothing is read until a client selects more than the key. */

/** A principal by its subject. */
export const principalOf = (subject: string): { readonly subject: string } => ({ subject });

/** A principal by its subject, if there is one. */
export const principalOrNull = (subject: string | null | undefined): { readonly subject: string } | null =>
  subject == null ? null : principalOf(subject);

/** An experiment by its name; null for all experiments, and for none. */
export const experimentOrNull = (name: string | null): { readonly name: string } | null =>
  name === null || name === '*' ? null : { name };

/** Experiments by their names; empty for all. */
export const experimentsNamed = (names: readonly string[]): { readonly name: string }[] =>
  names.filter((name) => name !== '*').map((name) => ({ name }));

/** Queues by their names. */
export const queuesNamed = (names: readonly string[]): { readonly name: string }[] =>
  names.map((name) => ({ name }));

/** A worker by its identifier, if there is one. */
export const workerOrNull = (id: string | null): { readonly id: string } | null =>
  id === null ? null : { id };
