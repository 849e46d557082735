/** Advice on sending the same request again: never, after a back-off, or at once. */
export type Retry = 'never' | 'later' | 'now';

/** Properties of one code. */
export interface CatalogueEntry {
  /** Status of an HTTP answer that carries nothing but this error. */
  readonly http: number;
  /** Advice to a client that wants to send the same request again. */
  readonly retry: Retry;
  /** Form of the messages of this code; `{field}`, `{value}` and `{expected}` stand for the details. */
  readonly message: string;
  /** When the code is used and what to do about it. */
  readonly description: string;
}

/** Short form of an entry. */
export const entry = (http: number, retry: Retry, message: string, description: string): CatalogueEntry => ({
  http,
  retry,
  message,
  description,
});
