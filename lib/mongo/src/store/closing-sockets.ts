/**
 * An operation that the driver starts on a connection whose socket is destroyed, but has not yet emitted
 * `close`, never ends: the socket accepts no bytes and reports that it needs to drain, the driver waits for
 * that, and the later close ends pending reads only (driver 7.9.0, `Connection.writeCommand`). The window is
 * short, between two phases of one turn of the event loop, but all operations that waited for the turn start
 * in it: writes would get no response after a primary is killed. So such a connection is closed before the
 * driver writes to it, which the driver recovers from.
 */
import { createRequire } from 'node:module';
import { MongoNetworkError } from 'mongodb';

/** Used part of the driver's `Connection`, which has no exported type. */
interface DriverConnection {
  readonly address: string;
  readonly socket: { readonly destroyed: boolean };
  readonly closed: boolean;
  onError(error: Error): void;
  command(...args: unknown[]): Promise<unknown>;
}

let isPatched = false;

/**
 * Has operations fail at once, and be tried again where they may, on connections that are about to close. For
 * the whole process, once.
 */
export function refuseClosingSockets(): void {
  if (isPatched) return;
  isPatched = true;
  const inDriver = createRequire(import.meta.url);
  const { Connection } = inDriver('mongodb/lib/cmap/connection') as {
    readonly Connection: { readonly prototype: DriverConnection };
  };
  const { prototype } = Connection;
  const { command } = prototype;
  prototype.command = function (this: DriverConnection, ...args) {
    if (this.socket.destroyed && !this.closed)
      this.onError(new MongoNetworkError(`connection to ${this.address} is closing`));
    return command.apply(this, args);
  };
}
