// Program: runs one campaign of the differential test over real sockets, `network-campaign-process.js JSON`.
import { runCampaignProcess } from '@rhizome/federation/testing';
import { overHttp } from './network-reach.js';

await runCampaignProcess({ 'HTTP and WebSocket': overHttp });
