// Our own outages: payloads run on, every result arrives, and no attempt is charged.
import { outageTest } from './story.js';

outageTest('keeps 20 payloads while core, the gateway and the store are gone for three leases each', {
  pilots: 2,
  payloadsOfPilot: 10,
  leases: 3,
});
