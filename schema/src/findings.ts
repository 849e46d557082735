/** Findings of a check: the violated rule, its location, and the fix. */

/** The rules that a subgraph's schema must keep, each with its cure. */
export const cures = {
  parse: 'Mend the SDL at the place that is named.',
  composition: 'Change the definition so that all subgraphs agree, or let one of them own it.',
  prefix: 'Begin the name with the type prefix of the subgraph.',
  nullable: 'Take the `!` off the type.',
  'one-field': 'Put it under the one field that has the name of the subgraph.',
  'mutation-name': 'Name it by a verb and the type prefix.',
  'subscription-name': 'Begin its name with the name of the subgraph.',
  redefinition: 'Leave it out: refer to the type of the other subgraph, or extend its entity by its key.',
  description: 'Write a description: what it is, with units.',
  'one-owner': 'Let one subgraph define it, or give each its own name with its prefix.',
  'silent-merge': 'Rename one of them with its prefix: nothing warns when they grow into one type.',
  'vanishing-input-field':
    'Rename the input with the prefix: a field that only one subgraph knows is dropped.',
  'enum-union': 'Rename the enum with the prefix: clients would meet values of both.',
  'description-conflict':
    'Leave the description out, or use the words of the owner: only one of them is shown.',
  'shared-definition': 'Copy the definition from schema/shared.graphql as it is.',
  'foreign-change': 'Undo what changes it: it belongs to somebody else.',
  'agent-operation': 'Mend the operation in `agent/`, or keep what it selects.',
  breaking:
    'Keep it together with its successor, mark it @deprecated, and remove it when nobody has used it for 30 days.',
  endpoint: 'Start the service with exactly this schema at its registered endpoint, then publish again.',
} as const;

/** The name of a rule. */
export type Rule = keyof typeof cures;

/** One rule that is not kept. */
export interface Finding {
  readonly rule: Rule;
  /** `Type`, `Type.field`, or the subgraph where it concerns all of it. */
  readonly where: string;
  /** One sentence that names the place and what is wrong. */
  readonly message: string;
  /** Advice on how to fix it. */
  readonly cure: string;
}

/** Makes a finding with the cure of its rule, or a more exact one. */
export function finding(rule: Rule, where: string, message: string, cure: string = cures[rule]): Finding {
  return { rule, where, message, cure };
}
