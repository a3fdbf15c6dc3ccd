export { createServer, type LogServer } from './server.ts';
export { defaultServerConfig, type ServerConfig } from './config.ts';
