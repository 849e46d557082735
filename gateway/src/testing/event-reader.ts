import { waitFor } from '@rhizome/testkit';

/** Reads an event stream as bytes, as curl shows it. */
export class EventReader {
  readonly status: number;
  readonly headers: Headers;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #leave: AbortController;
  #text = '';
  #isOver = false;

  private constructor(response: Response, leave: AbortController) {
    this.status = response.status;
    this.headers = response.headers;
    if (!response.body) throw new Error('Response without a body');
    this.#reader = response.body.getReader();
    this.#leave = leave;
  }

  static async open(url: string, init: RequestInit): Promise<EventReader> {
    const leave = new AbortController();
    return new EventReader(await fetch(url, { ...init, signal: leave.signal }), leave);
  }

  /** Opens a document's stream by POST. */
  static post(url: string, query: string, headers: Record<string, string>): Promise<EventReader> {
    return EventReader.open(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
      body: JSON.stringify({ query }),
    });
  }

  /** The next block of lines, up to its empty line; undefined at the end of the stream. */
  block(): Promise<string | undefined> {
    const read = async (): Promise<string | undefined> => {
      for (;;) {
        const at = this.#text.indexOf('\n\n');
        if (at >= 0) {
          const block = this.#text.slice(0, at);
          this.#text = this.#text.slice(at + 2);
          return block;
        }
        if (this.#isOver) return undefined;
        const { done, value } = await this.#reader.read();
        if (done) this.#isOver = true;
        else this.#text += this.#decoder.decode(value, { stream: true });
      }
    };
    return waitFor('a block of an event stream', read(), { deadlineMs: 2000 });
  }

  /** The next event, without comments. */
  async event(): Promise<string | undefined> {
    for (;;) {
      const block = await this.block();
      if (block === undefined || !block.startsWith(':')) return block;
    }
  }

  leave(): void {
    this.#leave.abort();
    this.#reader.cancel().catch(() => undefined);
  }
}
