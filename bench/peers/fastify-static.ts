/** @fastify/static as its documentation sets it up. */
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';

const app = fastify();
await app.register(fastifyStatic, { root: process.env.ROOT ?? '' });
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
