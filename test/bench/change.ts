/** Changes that prepare a system, or that are measured alone. */
import { mutationText } from '../e2e/system/api.js';
import type { Api } from './api.js';

/** The result of a mutation with one input. @throws Error if it is refused */
export async function change<T = object>(api: Api, field: string, input: object, selection = ''): Promise<T> {
  const text = mutationText(field, `${selection} userErrors { message }`);
  const data = await api.post<Record<string, T & { userErrors: readonly { message: string }[] }>>(text, {
    input,
  });
  const result = data[field];
  if (!result || result.userErrors[0])
    throw new Error(result?.userErrors[0]?.message ?? `${field}: no result`);
  return result;
}
