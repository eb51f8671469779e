# Pipit in a container. Debian 13, since uWebSockets.js is a native library that needs glibc 2.38 or later.

FROM node:22-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
COPY test/tools/build.ts ./test/tools/build.ts
RUN npm run build && npm prune --omit=dev

FROM node:22-trixie-slim
ENV NODE_ENV=production \
    PIPIT_HOST=0.0.0.0 \
    PIPIT_METRICS__HOST=0.0.0.0 \
    PIPIT_LOG__FORMAT=json
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json config.json config.schema.json ./
USER node
# 6001: clients and the HTTP API. 9601: metrics and health, not for the internet.
EXPOSE 6001 9601
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PIPIT_METRICS__PORT || 9601}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["start"]
