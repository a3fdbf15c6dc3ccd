export { createServer, type LogServer } from './server.ts';
export type { ServerConfig } from './config.ts';
