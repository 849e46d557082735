import { Connections, type FileRequest, type FileResponse, send } from './http-client.js';

/** Sends the requests of one storage over connections of its own. */
export class HttpSender {
  readonly #connections: Connections;

  /** @param authorities certificates in PEM that are trusted in addition */
  constructor(authorities: string | undefined) {
    this.#connections = new Connections(authorities);
  }

  /** As {@link send}. */
  async send(request: FileRequest): Promise<FileResponse> {
    return send(request, this.#connections);
  }

  close(): void {
    this.#connections.close();
  }
}
