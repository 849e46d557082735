/** One answer to an event for all subscriptions that must get the same. */
import { Kind, type OperationDefinitionNode, visit, type ASTNode, type DocumentNode } from 'graphql';
import type { MaybePromise, SubgraphCall, SubgraphResult } from '../types.js';

/**
 * Kind of events that a source gives to several subscribers as one object. It guarantees that the answer to
 * an event depends on the event, the selection and the subscriber's rights, and not on the arguments of the
 * subscription field.
 */
export class SharedEvent {}

/** The part of a compiled operation that several subscriptions share. */
export interface SharedOperation {
  /** Variables that the answers to a subscription's events depend on; see {@link answerVariables}. */
  readonly answerVariables: readonly string[];
  /** The latest answer to an event for several subscriptions. */
  latest: LatestResult | undefined;
}

/** Answers events for one subscription, or reuses the answer that another one has just got. */
export class SharedResults {
  readonly #operation: SharedOperation;
  readonly #key: string;

  /** Undefined for a call whose answers are not shared. */
  static of(
    operation: SharedOperation,
    { sharedScope, variables = {} }: SubgraphCall,
  ): SharedResults | undefined {
    if (sharedScope === undefined) return undefined;
    // An absent variable is not null: it may have a default.
    const values = operation.answerVariables.map((name) => (name in variables ? [variables[name]] : []));
    return new SharedResults(operation, `${sharedScope}\n${JSON.stringify(values)}`);
  }

  private constructor(operation: SharedOperation, key: string) {
    this.#operation = operation;
    this.#key = key;
  }

  /**
   * The answer to an event. Subscriptions receive an event one directly after the other, so one cached answer
   * is enough. An answer with errors is not shared: errors belong to one request.
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

/** The latest answer of an operation. */
export interface LatestResult {
  readonly event: SharedEvent;
  readonly key: string;
  readonly result: SubgraphResult;
}

/**
 * Variables that answers to events depend on: all that are used elsewhere than in arguments of the
 * subscription field.
 */
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
