import { lookUp, type Retry } from '@rhizome/errors';
import type { GraphQLFormattedError } from 'graphql';

/** Fields of an error. */
export interface ApiErrorInit {
  readonly code: string;
  readonly message: string;
  readonly retry?: Retry | undefined;
  readonly path?: readonly (string | number)[] | undefined;
  readonly requestId?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The request cannot have reached the server. */
  readonly notSent?: boolean;
  /** Nothing of the API has come back. */
  readonly noAnswer?: boolean;
  readonly cause?: unknown;
}

/** Reason of a failed request: a catalogue error from the API, or the nearest one for a transport failure. */
export class RhizomeApiError extends Error {
  override readonly name = 'RhizomeApiError';
  /** A code of the catalogue. */
  readonly code: string;
  /** Advice on sending the same request again. */
  readonly retry: Retry;
  /** Where in the answer; undefined for the request as a whole. */
  readonly path: readonly (string | number)[] | undefined;
  /** To be quoted in reports. */
  readonly requestId: string | undefined;
  /** The facts that came with it: `field`, `value`, `expected` and others. */
  readonly details: Readonly<Record<string, unknown>>;
  /** True when the server cannot have seen the request. */
  readonly notSent: boolean;
  /**
   * True when the API did not answer: nothing came back, or something else answered in its stead, such as the
   * page of a proxy. Nothing is known about the request then, whatever `retry` advises.
   */
  readonly noAnswer: boolean;
  #all: readonly RhizomeApiError[] = [this];

  constructor(init: ApiErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.retry = init.retry ?? lookUp(init.code)?.retry ?? 'never';
    this.path = init.path;
    this.requestId = init.requestId;
    this.details = init.details ?? {};
    this.notSent = init.notSent ?? false;
    this.noAnswer = init.noAnswer ?? false;
  }

  /** All errors of the answer; this is the first. */
  get errors(): readonly RhizomeApiError[] {
    return this.#all;
  }

  /** The first of several errors, which knows the others; undefined when there are none. */
  static firstOf(errors: readonly RhizomeApiError[]): RhizomeApiError | undefined {
    const [first] = errors;
    if (first) first.#all = errors;
    return first;
  }
}

/** True for an error of this package, also of another copy of it. */
export function isRhizomeApiError(error: unknown): error is RhizomeApiError {
  return error instanceof Error && error.name === 'RhizomeApiError' && 'code' in error;
}

/** The errors of an answer as exceptions. */
export function fromGraphQLErrors(
  errors: readonly GraphQLFormattedError[],
  requestId?: string,
): RhizomeApiError[] {
  return errors.map(({ message, path, extensions = {} }) => {
    const { code, retry, requestId: own, ...details } = extensions;
    return new RhizomeApiError({
      code: typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR',
      message,
      retry: retry === 'never' || retry === 'later' || retry === 'now' ? retry : undefined,
      path,
      requestId: typeof own === 'string' ? own : requestId,
      details,
    });
  });
}
