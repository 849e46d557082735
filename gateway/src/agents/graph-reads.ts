/** Runs operations of proposals on the current engine. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type BorrowEngine, executeOwn } from '../own-operation.js';

/** Answer of an operation. */
export interface GraphAnswer {
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly errors: readonly { readonly code: string | null; readonly message: string }[];
}

interface Body {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: unknown };
  }[];
}

/** The answer in a text. */
export function answerOf(text: string): GraphAnswer {
  const { data = null, errors = [] } = JSON.parse(text) as Body;
  return {
    data,
    errors: errors.slice(0, 20).map(({ message, extensions }) => ({
      code: typeof extensions?.code === 'string' ? extensions.code : null,
      message: message.slice(0, 2000),
    })),
  };
}

const readMs = 15_000;

/** Reads as a principal. @throws DomainError SERVICE_UNAVAILABLE if something could not be read */
export async function readAs(
  borrow: BorrowEngine,
  principal: Principal,
  query: string,
  variables: object,
): Promise<Readonly<Record<string, unknown>>> {
  const signal = AbortSignal.timeout(readMs);
  const { text, codes } = await executeOwn(borrow, { query, variables, principal, signal });
  const { data, errors } = answerOf(text);
  if (data && codes.every((code) => code === 'FORBIDDEN')) return data;
  const [first] = errors;
  if (first?.code === 'FORBIDDEN') return {};
  const isInput = first?.code === 'BAD_USER_INPUT' || first?.code === 'GRAPHQL_VALIDATION_FAILED';
  throw new DomainError(
    isInput ? 'BAD_USER_INPUT' : 'SERVICE_UNAVAILABLE',
    `The objects of the change could not be read: ${first?.message ?? 'no answer'}`,
  );
}
