/** Whether the same request may succeed when it is sent again: never, after a back-off, or at once. */
export type Retry = 'never' | 'later' | 'now';

/** What the catalogue knows about one code. */
export interface CatalogueEntry {
  /** Status of an HTTP answer that carries nothing but this error. */
  readonly http: number;
  /** Advice to a client that wants to send the same request again. */
  readonly retry: Retry;
  /** How messages of this code read; `{field}`, `{value}` and `{expected}` stand for the details. */
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
