import { Counter, Gauge, Registry } from 'prom-client';

/** Metrics of the file service. */
export class FileServiceMetrics {
  readonly registry = new Registry();
  readonly requests = new Counter({
    name: 'rhizome_storage_requests_total',
    help: 'Requests for files, by method and status.',
    labelNames: ['method', 'status'],
    registers: [this.registry],
  });
  readonly bytes = new Counter({
    name: 'rhizome_storage_bytes_total',
    help: 'Bytes of files that were transferred.',
    labelNames: ['direction'],
    registers: [this.registry],
  });
  readonly transfers = new Gauge({
    name: 'rhizome_storage_transfers',
    help: 'Transfers that run now.',
    registers: [this.registry],
  });
}
