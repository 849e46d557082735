// The story of our own outages with ten times as many payloads as in `npm test`, and ten leases each.
import { outageTest } from './story.js';

outageTest(
  'keeps 200 payloads while core, the gateway and the store are gone for ten leases each',
  { pilots: 10, payloadsOfPilot: 20, leases: 10 },
  30 * 60_000,
);
