/** Outcome of the root fields of an operation, read from its answer. */
import type { CallResult } from '@rhizome/audit';
import type { ExecutionText } from '@rhizome/federation';
import type { RootField } from '../policy/index.js';

/** Codes by which a caller is refused. */
const refusals: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'TOKEN_EXPIRED',
  'TOKEN_REVOKED',
]);

/** True if one of the codes refuses the caller. */
export function isRefusal(codes: readonly string[]): boolean {
  return codes.some((code) => refusals.has(code));
}

interface Body {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly {
    readonly path?: readonly (string | number)[];
    readonly extensions?: { readonly code?: unknown };
  }[];
}

/** A function that gives the result of each root field of one answer; the answer is parsed if it must be. */
export function resultsOf(answer: ExecutionText): (field: RootField) => CallResult {
  let parsed: Body | undefined;
  const body = (): Body => (parsed ??= JSON.parse(answer.text) as Body);
  return (field) => {
    if (answer.codes.length > 0) return resultIn(body(), field);
    const { userErrorsKey } = field;
    // Quotes inside texts are escaped, so that this text is a member of an object.
    if (userErrorsKey === undefined || !answer.text.includes(`"${userErrorsKey}":[{`))
      return { result: 'SUCCEEDED', codes: [] };
    return rejectionIn(body(), field) ?? { result: 'SUCCEEDED', codes: [] };
  };
}

function resultIn(body: Body, field: RootField): CallResult {
  const codes = (body.errors ?? [])
    .filter(({ path }) => path === undefined || path[0] === field.responseKey)
    .map(({ extensions }) => String(extensions?.code));
  const value = body.data?.[field.responseKey];
  if (value !== undefined && value !== null)
    return rejectionIn(body, field) ?? { result: 'SUCCEEDED', codes };
  return { result: isRefusal(codes) ? 'REFUSED' : 'FAILED', codes };
}

function rejectionIn({ data }: Body, { responseKey, userErrorsKey }: RootField): CallResult | undefined {
  const payload = data?.[responseKey] as Readonly<Record<string, unknown>> | null | undefined;
  const errors = userErrorsKey === undefined ? undefined : payload?.[userErrorsKey];
  if (!Array.isArray(errors) || errors.length === 0) return undefined;
  const codes = (errors as readonly { readonly code?: unknown }[]).flatMap(({ code }) =>
    typeof code === 'string' ? [code] : [],
  );
  return { result: 'REJECTED', codes };
}
