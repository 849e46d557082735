/** Checks the input of `createProposal` before anything is read. */
import type { InputErrors } from '@rhizome/errors';
import type { CreateProposalInput, CreateProposalUserErrorCode } from '../types.generated.js';
import type { MutationInput } from './freeze.js';

/** Codes of `createProposal` besides `INVALID_VALUE`. */
export type CreateCode = Exclude<CreateProposalUserErrorCode, 'INVALID_VALUE'>;

/** The input in the form that the service needs. */
export interface CheckedInput {
  readonly variables: MutationInput;
  readonly evidence: readonly { readonly text: string; readonly url: string | null }[];
  readonly expiresInSeconds: number;
}

const kiB = 1024;
const address = /^(https?:\/\/|\/(?!\/))[^\s\\]*$/;

/** Reports what is wrong; the result counts only if nothing is. */
export function checkInput(input: CreateProposalInput, errors: InputErrors<CreateCode>): CheckedInput {
  const { operation, reason } = input;
  const evidence = (input.evidence ?? []).map(({ text, url }) => ({ text, url: url ?? null }));
  const expiresInSeconds = input.expiresInSeconds ?? 86_400;
  if (Buffer.byteLength(operation) > 16 * kiB)
    errors.report('INVALID_VALUE', ['operation'], 'operation: it is too large; must be at most 16 kB');
  errors.lines(['reason'], reason, 1, 2000);
  errors.list(['evidence'], evidence, 10);
  evidence.forEach(({ text, url }, position) => {
    errors.lines(['evidence', position, 'text'], text, 1, 1000);
    if (url === null) return;
    errors.line(['evidence', position, 'url'], url, 1, 500);
    errors.form(['evidence', position, 'url'], url, address, 'an address with https: or http:, or a path');
  });
  errors.int(['expiresInSeconds'], expiresInSeconds, 60, 7 * 86_400);
  return { variables: variablesOf(input.variables, errors), evidence, expiresInSeconds };
}

function variablesOf(given: unknown, errors: InputErrors<CreateCode>): MutationInput {
  const variables = given ?? {};
  if (typeof variables !== 'object' || Array.isArray(variables)) {
    errors.add(['variables'], variables, 'an object');
    return {};
  }
  if (Buffer.byteLength(JSON.stringify(variables)) > 64 * kiB)
    errors.report('INVALID_VALUE', ['variables'], 'variables: they are too large; must be at most 64 kB');
  return variables as MutationInput;
}
