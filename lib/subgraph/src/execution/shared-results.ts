/** One answer to an event for all subscriptions that must get the same. */
import { Kind, type OperationDefinitionNode, visit, type ASTNode, type DocumentNode } from 'graphql';
import type { MaybePromise, SubgraphCall, SubgraphResult } from '../types.js';

/**
 * The kind of events that a source hands to several subscribers as one object. It vouches that what a subscriber is told of the event hangs on
 * the event, on what is selected and on the subscriber's rights, and not on the arguments of the subscription field.
 */
export class SharedEvent {}

/** The part of a compiled operation that several subscriptions share. */
export interface SharedOperation {
  /** Variables that the answers to a subscription's events depend on; see {@link answerVariables}. */
  readonly answerVariables: readonly string[];
  /** The latest answer to an event for several subscriptions. */
  latest: LatestResult | undefined;
}

/** Answers events for one subscription, or takes the answer that another one has just been given. */
export class SharedResults {
  readonly #operation: SharedOperation;
  readonly #key: string;

  /** Undefined for a call whose answers are its own. */
  static of(
    operation: SharedOperation,
    { sharedScope, variables = {} }: SubgraphCall,
  ): SharedResults | undefined {
    if (sharedScope === undefined) return undefined;
    // What is not given is not null: it may have a default.
    const values = operation.answerVariables.map((name) => (name in variables ? [variables[name]] : []));
    return new SharedResults(operation, `${sharedScope}\n${JSON.stringify(values)}`);
  }

  private constructor(operation: SharedOperation, key: string) {
    this.#operation = operation;
    this.#key = key;
  }

  /**
   * The answer to an event. Those who hear of it at once hear of it one after the other, so that one answer is kept. One with errors is for
   * whom it was made alone: they tell of its request.
   */
  answer(event: unknown, make: () => MaybePromise<SubgraphResult>): MaybePromise<SubgraphResult> {
    if (!(event instanceof SharedEvent)) return make();
    const { latest } = this.#operation;
    if (latest?.event === event && latest.key === this.#key) return latest.result;
    const result = make();
    if (!('then' in result) && !result.errors) this.#operation.latest = { event, key: this.#key, result };
    return result;
  }
}

/** The answer that was made last of an operation. */
export interface LatestResult {
  readonly event: SharedEvent;
  readonly key: string;
  readonly result: SubgraphResult;
}

/** Variables that answers to events hang on: all that feed more than arguments of the subscription field. */
export function answerVariables(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): readonly string[] {
  const names = new Set<string>();
  const note = (node: ASTNode): void => {
    visit(node, { VariableDefinition: () => false, Variable: ({ name }) => void names.add(name.value) });
  };
  for (const definition of document.definitions) if (definition !== operation) note(definition);
  operation.directives?.forEach(note);
  for (const selection of operation.selectionSet.selections) {
    if (selection.kind === Kind.FIELD) {
      selection.directives?.forEach(note);
      if (selection.selectionSet) note(selection.selectionSet);
    } else note(selection);
  }
  return [...names].sort();
}
