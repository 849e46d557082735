/**
 * An operation that the driver begins on a connection whose socket has been destroyed, but has not told so yet, never ends: the socket takes no
 * bytes and says that it wants to be drained, the driver waits for that, and the close that follows ends only what is being read (driver
 * 7.9.0, `Connection.writeCommand`). The moment is short, between two phases of one turn of the event loop, and it is just where all that
 * waited for the turn begins: a primary that is killed would leave writes without an answer for ever. So such a connection is broken before
 * it is written to, which the driver knows how to go on from.
 */
import { createRequire } from 'node:module';
import { MongoNetworkError } from 'mongodb';

/** What of the driver's `Connection` is used here. It has no type outside the driver. */
interface DriverConnection {
  readonly address: string;
  readonly socket: { readonly destroyed: boolean };
  readonly closed: boolean;
  onError(error: Error): void;
  command(...args: unknown[]): Promise<unknown>;
}

let isPatched = false;

/** Has operations fail at once, and be tried again where they may, on connections that are about to close. For the whole process, once. */
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
