import streamlit as st

st.header("query")
