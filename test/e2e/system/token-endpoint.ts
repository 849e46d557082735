/** Requests to the token endpoint of a gateway. */

/** Tokens as the endpoint gives them. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly refresh_token?: string;
}

/** Sends a form. @throws Error if it gives no token */
export async function requestTokens(
  origin: string,
  form: Readonly<Record<string, string>>,
): Promise<TokenAnswer> {
  const body = new URLSearchParams(form);
  const response = await fetch(`${origin}/oauth/token`, { method: 'POST', body });
  const text = await response.text();
  const answer = JSON.parse(text) as Partial<TokenAnswer>;
  if (answer.access_token === undefined) throw new Error(text);
  return { ...answer, access_token: answer.access_token };
}

/** Exchanges a token for one of Rhizome. @param more further fields of the form */
export function exchangeToken(
  origin: string,
  subjectToken: string,
  more: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  return requestTokens(origin, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...more,
  });
}
