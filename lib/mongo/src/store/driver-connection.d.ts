/** Used part of the driver's `Connection`, which has no exported type. */
declare module 'mongodb/lib/cmap/connection.js' {
  interface DriverConnection {
    readonly address: string;
    readonly socket: { readonly destroyed: boolean };
    readonly closed: boolean;
    onError(error: Error): void;
    command(...args: unknown[]): Promise<unknown>;
  }
  const module: { readonly Connection: { readonly prototype: DriverConnection } };
  export default module;
}
