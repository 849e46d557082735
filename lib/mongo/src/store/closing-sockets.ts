/**
 * An operation that the driver starts on a connection whose socket is destroyed, but has not yet emitted
 * `close`, never ends: the socket accepts no bytes and reports that it needs to drain, the driver waits for
 * that, and the later close ends pending reads only (driver 7.9.0, `Connection.writeCommand`). The window is
 * short, between two phases of one turn of the event loop, but all operations that waited for the turn start
 * in it: writes would get no response after a primary is killed. So such a connection is closed before the
 * driver writes to it, which the driver recovers from.
 */
import { MongoNetworkError } from 'mongodb';
import driverConnection from 'mongodb/lib/cmap/connection.js';

let isPatched = false;

/**
 * Has operations fail at once, and be tried again where they may, on connections that are about to close. For
 * the whole process, once.
 */
export function refuseClosingSockets(): void {
  if (isPatched) return;
  isPatched = true;
  const { prototype } = driverConnection.Connection;
  const { command } = prototype;
  prototype.command = function (...args) {
    if (this.socket.destroyed && !this.closed)
      this.onError(new MongoNetworkError(`connection to ${this.address} is closing`));
    return command.apply(this, args);
  };
}
