import { z } from 'zod';

/** Settings of TLS in a service: files in PEM, which may be replaced while it runs. */
export const tlsSettings = z.strictObject({
  /** The private key. */
  keyFile: z.string().min(1),
  /** The certificate, and those between it and the authority. */
  certFile: z.string().min(1),
});
