import { withoutSuggestions } from '@rhizome/errors';
import { isTooDeep, tooDeep } from '@rhizome/subgraph';
import { type DocumentNode, parse, print, visit } from 'graphql';
import { LRUCache } from 'lru-cache';
import { type Refusal, refusal } from '../result/refusal.js';
import { typenameAlias } from '../result/response-key.js';
import { describe } from './describe.js';
import { asksForSchema } from './introspection.js';
import { type EngineComponents, Operation } from './operation.js';
import { selectOperation } from '../planning/select.js';
import { yieldToEventLoop } from '../engine/event-loop-queue.js';
import type { ClientRequest, EngineOptions } from '../engine/types.js';

/** Identity of an operation. */
export type OperationRequest = Pick<ClientRequest, 'query' | 'document' | 'operationName'>;

/** Maximum number of characters of documents that are kept to recognise them. */
const keptCharacters = 32 * 2 ** 20;
const keptRefusals = 200;
/** Estimated bytes of compiled operations. */
const keptBytes = 64 * 2 ** 20;
/**
 * Estimated bytes that an operation needs per character of its text, literals included: the text, its
 * document and its plans.
 */
const bytesPerCharacter = 4;
/**
 * Limits a map by the characters of its keys; a key longer than the limit is not kept. A size must be at
 * least 1.
 */
const boundedText = {
  maxSize: keptCharacters,
  sizeCalculation: (_value: unknown, text: string) => text.length + 1,
};

/**
 * Cache of the compiled operations of an engine: found by their text as sent, compiled once for each
 * normalised text.
 */
export class OperationStore {
  readonly #parts: EngineComponents;
  readonly #options: Pick<EngineOptions, 'checks' | 'introspection'>;
  /**
   * By document as sent and name. Holds promises while operations are compiled, so that concurrent requests
   * compile once.
   */
  readonly #byText: LRUCache<string, Operation | Promise<Operation | Refusal>>;
  /** By normalised text: documents that differ in formatting share their compiled operation. */
  readonly #byMeaning: LRUCache<string, Operation>;
  readonly #refusals = new LRUCache<string, Refusal>({ max: keptRefusals, ...boundedText });
  readonly #printed = new WeakMap<DocumentNode, string>();

  constructor(parts: EngineComponents, options: Pick<EngineOptions, 'checks' | 'introspection'>) {
    const { cachedOperations } = parts.limits;
    this.#parts = parts;
    this.#options = options;
    this.#byText = new LRUCache<string, Operation | Promise<Operation | Refusal>>({
      max: 2 * cachedOperations,
      ...boundedText,
    });
    this.#byMeaning = new LRUCache<string, Operation>({
      max: cachedOperations,
      maxSize: keptBytes,
      sizeCalculation: (_operation, text) => bytesPerCharacter * text.length + 1,
    });
  }

  /** Number of compiled operations, and the bytes of their texts. */
  get stored(): { readonly operations: number; readonly bytes: number } {
    return {
      operations: this.#byMeaning.size,
      bytes: this.#byMeaning.calculatedSize + this.#byText.calculatedSize,
    };
  }

  /**
   * The operation of a request, or the reason why it is rejected; synchronous if known. Rejects if the
   * planner is not available.
   */
  get(request: OperationRequest): Operation | Refusal | Promise<Operation | Refusal> {
    const text = this.#textOf(request);
    if (text === undefined) return { kind: undefined, errors: [noDocument] };
    const { documentBytes } = this.#parts.limits;
    if (exceeds(text, documentBytes)) return tooLong(Buffer.byteLength(text), documentBytes);
    const operationName = request.operationName ?? undefined;
    const key = keyOf(text, operationName);
    const known = this.#byText.get(key) ?? this.#refusals.get(key);
    if (known) return known;
    const made = this.#compile(text, operationName);
    this.#byText.set(key, made);
    made.then(
      (result) => {
        const isCurrent = this.#byText.peek(key) === made;
        if (result instanceof Operation) return void (isCurrent && this.#byText.set(key, result));
        if (isCurrent) this.#byText.delete(key);
        this.#refusals.set(key, result);
      },
      () => void (this.#byText.peek(key) === made && this.#byText.delete(key)),
    );
    return made;
  }

  /** True if an operation need not be compiled; without a text there is nothing to compile. */
  has({ query, operationName }: Pick<OperationRequest, 'query' | 'operationName'>): boolean {
    if (query === undefined) return true;
    const key = keyOf(query, operationName);
    return this.#byText.has(key) || this.#refusals.has(key);
  }

  #textOf({ query, document }: OperationRequest): string | undefined {
    if (query !== undefined || !document) return query;
    let text = this.#printed.get(document);
    if (text === undefined) {
      text = print(document);
      this.#printed.set(document, text);
    }
    return text;
  }

  /** Suggestions name parts of the schema, so they are for callers that may read it. */
  #shown<T extends { readonly message: string }>(errors: readonly T[]): readonly T[] {
    if (this.#options.introspection !== false) return errors;
    return errors.map((error) => ({ ...error, message: withoutSuggestions(error.message) }));
  }

  async #compile(text: string, operationName: string | undefined): Promise<Operation | Refusal> {
    if (isTooDeep(text)) {
      const { code, message, details } = tooDeep();
      return refusal(code, [{ message, extensions: { code, ...details } }]);
    }
    const fault = await this.#parts.planning.validate(text, operationName);
    if (fault) return refusal(fault.code, this.#shown(fault.errors));
    // A new operation takes much work: yield to others between its steps.
    await yieldToEventLoop();
    const selected = selectOperation(withTypenameAlias(text), operationName);
    if ('fault' in selected) return refusal('OPERATION_RESOLUTION_FAILURE', [{ message: selected.fault }]);
    const normalisedText = print(selected.document);
    await yieldToEventLoop();
    const known = this.#byMeaning.get(normalisedText);
    if (known) return known;
    if (this.#options.introspection === false && asksForSchema(selected)) {
      return refusal('GRAPHQL_VALIDATION_FAILED', [{ message: 'Introspection is disabled' }]);
    }
    const { info, planText } = describe(
      this.#parts.schema,
      this.#parts.planning.facts,
      selected,
      normalisedText,
    );
    const faults = (this.#options.checks ?? []).flatMap((check) => check(info, this.#parts.schema));
    if (faults.length > 0)
      return refusal(
        'OPERATION_TOO_COMPLEX',
        faults.map((error) => error.toJSON()),
        info.kind,
      );
    const operation = new Operation(this.#parts, selected, info, planText);
    this.#byMeaning.set(normalisedText, operation);
    return operation;
  }
}

/**
 * Parses a document; an alias `__typename` of another field is replaced by one that the engine does not use
 * itself.
 */
function withTypenameAlias(text: string): DocumentNode {
  const document = parse(text, { noLocation: true });
  if (!/__typename[\s,]*(#|:)/.test(text)) return document;
  return visit(document, {
    Field: (node) =>
      node.alias?.value === '__typename' && node.name.value !== '__typename'
        ? { ...node, alias: { ...node.alias, value: typenameAlias } }
        : undefined,
  });
}

/** Key of an operation by its text: a document may hold several. */
function keyOf(text: string, operationName: string | null | undefined): string {
  return operationName === undefined || operationName === null ? text : `${text}\u0000${operationName}`;
}

/** True if a text has more bytes than the limit; most texts need not be counted. */
function exceeds(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  return 3 * text.length > bytes && Buffer.byteLength(text) > bytes;
}

function tooLong(value: number, limit: number): Refusal {
  const message = `document: ${value} bytes are too many; must be at most ${limit}`;
  const facts = { field: 'document', value, expected: `at most ${limit} bytes` };
  return { kind: undefined, errors: [{ message, code: 'OPERATION_TOO_COMPLEX', facts }] };
}

const noDocument = { message: 'The request has no document', code: 'BAD_REQUEST' };
