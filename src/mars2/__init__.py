"""MARS²: several LLM agents learn to write code together by growing one search tree per problem."""

__version__ = "0.1.0"
