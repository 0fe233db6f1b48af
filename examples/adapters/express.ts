// app.listen(3000) serves it.
import express from "express"
import { rateLimit } from "sluice/express"

export const app = express()
app.use(rateLimit({ policy: "3/minute" }))
app.get("/", (_request, response) => void response.send("hello"))
